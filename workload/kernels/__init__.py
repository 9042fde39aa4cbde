"""The kernels that tasks run, one module each."""
