"""The plain NumPy kernels: any float dtype, any strides; they import NumPy only and are the truth for the compiled ones."""
