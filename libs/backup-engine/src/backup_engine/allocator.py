"""What glibc does with memory that is free: large buffers back to the system, small ones used again."""

import ctypes

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_SETTINGS = {
    _M_MMAP_THRESHOLD: 1 << 20,  # bytes from which a buffer is mapped on its own
    _M_ARENA_MAX: 2,  # heaps: about as many threads get on at once beside Python's lock
    # Bytes a heap grows by, and may have free at its end: mails come and go, and each return would be followed by
    # as many page faults. 3 to 5 % of a first backup.
    _M_TOP_PAD: 4 << 20,
    _M_TRIM_THRESHOLD: 32 << 20,
}


def tune_malloc() -> None:
    """For the whole process; with another C library than glibc this does nothing.

    By default glibc makes a heap for each thread and, once the first pack of 16 MiB is freed, keeps buffers up to that
    size in them, where they fragment: 40 MB more at the peak, and memory that grows with what is streamed (ADR 0014).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for setting, value in _SETTINGS.items():
        mallopt(setting, value)
