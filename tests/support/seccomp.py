"""Makes the kernel refuse a system call to this process and its children, for good."""

import ctypes
import os
import struct

PIDFD_OPEN = 434  # the same on every architecture
PIDFD_SEND_SIGNAL = 424

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LOAD_NUMBER = (0x20, 0, 0, 0)  # BPF_LD | BPF_W | BPF_ABS of seccomp_data.nr
_ALLOW = (0x06, 0, 0, 0x7FFF0000)


def refuse(number: int, code: int) -> None:
    """Let system call ``number`` fail with errno ``code`` from here on.

    It holds for this thread and those it starts, and for children: only for programs of their own.
    """
    program = (
        _LOAD_NUMBER,
        (0x15, 0, 1, number),  # BPF_JMP | BPF_JEQ | BPF_K: not this one: skip one
        (0x06, 0, 0, 0x00050000 | code),  # SECCOMP_RET_ERRNO
        _ALLOW,
    )
    code_bytes = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code_bytes, len(code_bytes))
    header = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
