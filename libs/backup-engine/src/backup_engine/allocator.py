"""Give large buffers back to the system as soon as they are free."""

import ctypes

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 1 << 20  # bytes


def return_large_buffers() -> None:
    """Let glibc map every buffer of 1 MiB or more on its own, for the whole process; elsewhere this does nothing.

    Once the first pack of 16 MiB is freed, glibc by default keeps buffers up to that size in its heaps, one per
    thread, where they fragment: 40 MB more at the peak, and memory that grows with what is streamed (ADR 0014).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
