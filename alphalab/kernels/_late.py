"""Kernels that are compiled when another kernel first calls them.

Most runs need few of the rules: no margin, no exits, no fee tiers. The code of a rule that a run
does not use is not compiled. A kernel calls a late one through a pointer in a slot. While the slot
is empty, it first calls Python, which compiles the late kernel, or loads it from disk, and fills
the slot.

Compiled code on disk finds slots and Python's function by their names, as symbols of the process.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import lower_builtin

_ENTER = "alphalab.late"
_POINTER = ir.IntType(8).as_pointer()
_LOCK = threading.RLock()
_LATE: dict[int, Late] = {}  # by address of the slot


class Late:
    """A late kernel: its slot, and how to compile it.

    Parameters
    ----------
    name : str
        Unique name; the slot's symbol ends with it.
    compile_ : callable
        Compiles the kernel, and returns its dispatcher with one overload.
    """

    def __init__(self, name: str, compile_: Callable[[], Any]) -> None:
        self.symbol = f"{_ENTER}.{name}"
        self._compile = compile_
        self._slot = ctypes.c_void_p()
        llvm.add_symbol(self.symbol, ctypes.addressof(self._slot))
        _LATE[ctypes.addressof(self._slot)] = self

    def fill(self) -> None:
        """Compile the kernel if it is not yet, and put its address into the slot."""
        with _LOCK:
            if self._slot.value is None:
                (self._overload,) = self._compile().overloads.values()
                name = self._overload.fndesc.llvm_func_name
                self._slot.value = self._overload.library.get_pointer_to_function(name)


def teach(function: Callable[..., Any], late: Late, signature: Any) -> None:
    """Let kernels call a function as a late kernel."""

    class Template(ConcreteTemplate):  # type: ignore[misc]
        key = function
        cases = (signature,)

    @lower_builtin(function, *signature.args)  # type: ignore[untyped-decorator]
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        slot = _external(builder.module, _POINTER, late.symbol)
        empty = builder.icmp_unsigned("==", builder.load(slot), _POINTER(None))
        with cgutils.if_unlikely(builder, empty):
            kind = ir.FunctionType(ir.VoidType(), [_POINTER])
            enter = cgutils.get_or_insert_function(builder.module, kind, _ENTER)
            builder.call(enter, [builder.bitcast(slot, _POINTER)])
        convention = context.call_conv
        kind = convention.get_function_type(signature.return_type, signature.args)
        code = builder.bitcast(builder.load(slot), kind.as_pointer())
        status, result = convention.call_function(
            builder, code, signature.return_type, signature.args, arguments
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value() if signature.return_type == types.none else result

    infer_global(function, types.Function(Template))


def _external(module: Any, kind: Any, name: str) -> Any:
    try:
        return module.get_global(name)
    except KeyError:
        return ir.GlobalVariable(module, kind, name)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _enter(slot: int) -> None:
    _LATE[slot].fill()


llvm.add_symbol(_ENTER, ctypes.cast(_enter, ctypes.c_void_p).value)
