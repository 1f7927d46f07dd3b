"""Kernels that are compiled when another kernel first calls them.

Most runs need few of the rules: no margin, no exits, no fee tiers. The code of a rule that a run
does not use is not compiled. A kernel calls a late one through a pointer in a slot. While the slot
is empty, it first calls Python, which compiles the late kernel, or loads it from disk, and fills
the slot.

Compiled code on disk finds slots and Python's function by their names, as symbols of the process.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import threading
import traceback
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
                self._kernel = self._compile()
                self._slot.value = address_of(self._kernel)


def compile_all() -> None:
    """Compile every late kernel of the modules that are imported, or load it from disk."""
    for late in list(_LATE.values()):
        late.fill()


def teach_late(function: Callable[..., Any], signature: Any, late: Late) -> None:
    """Let kernels call a late kernel by its function."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        slot = _external(builder.module, late.symbol)
        empty = builder.icmp_unsigned("==", builder.load(slot), _POINTER(None))
        with cgutils.if_unlikely(builder, empty):
            kind = ir.FunctionType(ir.VoidType(), [_POINTER])
            enter = cgutils.get_or_insert_function(builder.module, kind, _ENTER)
            builder.call(enter, [builder.bitcast(slot, _POINTER)])
        return _call(context, builder, builder.load(slot), signature, arguments)

    _teach(function, signature, generate)


def teach_pointer(function: Callable[..., Any], signature: Any) -> None:
    """Let kernels call `function(address, *arguments)`: the compiled code at the address."""

    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        code = builder.inttoptr(arguments[0], _POINTER)
        return _call(context, builder, code, signature, arguments[1:])

    _teach(function, signature.return_type(types.int64, *signature.args), generate)


def address_of(dispatcher: Any) -> int:
    """Return the address of the code of a function that is compiled for one signature."""
    (overload,) = dispatcher.overloads.values()
    address: int = overload.library.get_pointer_to_function(overload.fndesc.llvm_func_name)
    return address


def _teach(function: Callable[..., Any], signature: Any, generate: Callable[..., Any]) -> None:
    class Template(ConcreteTemplate):  # type: ignore[misc]
        key = function
        cases = (signature,)

    lower_builtin(function, *signature.args)(generate)
    infer_global(function, types.Function(Template))


def _call(context: Any, builder: Any, code: Any, signature: Any, arguments: Any) -> Any:
    """Generate a call of the code at a pointer, and pass its exception on."""
    result_type, convention = signature.return_type, context.call_conv
    kind = convention.get_function_type(result_type, signature.args)
    code = builder.bitcast(code, kind.as_pointer())
    status, result = convention.call_function(builder, code, result_type, signature.args, arguments)
    with cgutils.if_unlikely(builder, status.is_error):
        convention.return_status_propagate(builder, status)
    return context.get_dummy_value() if result_type == types.none else result


def _external(module: Any, name: str) -> Any:
    try:
        return module.get_global(name)
    except KeyError:
        return ir.GlobalVariable(module, _POINTER, name)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _enter(slot: int) -> None:
    """Fill a slot: no exception can leave, because compiled code has called it and goes on."""
    interrupted = False
    while True:
        try:
            _LATE[slot].fill()
            break
        except KeyboardInterrupt:
            interrupted = True
        except BaseException:
            traceback.print_exc()
            os.abort()
    if interrupted:  # again, when Python runs again
        threading.Timer(0.1, _thread.interrupt_main).start()


llvm.add_symbol(_ENTER, ctypes.cast(_enter, ctypes.c_void_p).value)
