"""Give memory back to the system when it is free."""

import ctypes

# malloc.h
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE = 1 << 20  # bytes
_HEAPS = 2  # about as many threads get on at once beside Python's lock


def return_free_memory() -> None:
    """Let glibc map every buffer of 1 MiB or more on its own, and make two heaps for the rest; elsewhere do nothing.

    For the whole process. By default glibc makes a heap for each thread and, once the first pack of 16 MiB is freed,
    keeps buffers up to that size in them, where they fragment: 40 MB more at the peak, and memory that grows with what
    is streamed (ADR 0014).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_ARENA_MAX, _HEAPS)
