"""The Dask adapter."""
