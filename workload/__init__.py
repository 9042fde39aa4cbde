"""The workloads: kernels that every engine runs unchanged.  Imports no engine."""
