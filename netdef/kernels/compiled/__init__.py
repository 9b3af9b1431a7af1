"""The Numba kernels: float32, C-contiguous; each is checked against its reference. Imported when first used."""
