"""Interrupts at each place where Python may handle one: after a call, and where a loop goes back."""

import dis
import sys
from types import FrameType
from typing import Any

# Python looks for signals after these instructions. Python 3.11 and 3.12 have no CALL_KW.
NAMES = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD", "RESUME"}
HANDLED_AFTER = {code for name, code in dis.opmap.items() if name in NAMES}


class Interrupted:
    """Within a ``with`` statement, raises a KeyboardInterrupt at the place of this number in lehr's code.

    ``happened`` tells afterwards whether there were so many places.
    """

    def __init__(self, place: int) -> None:
        self._left, self.happened = place, False
        self._instructions: dict[int, int] = {}  # the last instruction of each frame, by its id

    def __enter__(self) -> "Interrupted":
        self._tracer = sys.gettrace()  # such as that of a measurement of coverage
        sys._getframe().f_trace_opcodes = True  # Python 3.12 wants this of any frame before settrace
        sys.settrace(self._trace)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> bool:
        sys.settrace(self._tracer)
        return isinstance(error, KeyboardInterrupt)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_globals.get("__name__", "").startswith("lehr."):
            return None
        frame.f_trace = self._trace  # Python 3.13 wants this before f_trace_opcodes
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event != "opcode":
            self._instructions.pop(id(frame), None)
            return self._trace
        before = self._instructions.get(id(frame))
        self._instructions[id(frame)] = frame.f_code.co_code[frame.f_lasti]
        if before in HANDLED_AFTER and not self.happened:
            self._left -= 1
            if not self._left:
                self.happened = True
                raise KeyboardInterrupt
        return self._trace
