"""What is computed: the kernels that every engine runs unchanged.  Imports no engine."""
