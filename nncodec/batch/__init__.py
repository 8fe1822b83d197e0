"""Many files: what one file becomes, for the command line and for batches."""
