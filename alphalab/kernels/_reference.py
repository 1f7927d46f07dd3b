"""Named tuples by reference: a kernel passes one address instead of every number in every array.

A named tuple of twenty arrays is 140 numbers. Numba passes all of them at each call, and copies
them all to read one array.
"""

from __future__ import annotations

from typing import Any, TypeVar

from numba.core import cgutils
from numba.core.datamodel import register_default
from numba.core.datamodel.models import PrimitiveModel
from numba.core.imputils import lower_getattr_generic
from numba.core.types import Type
from numba.core.types.containers import NamedTuple
from numba.core.typing import signature
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
)
from numba.extending import lower_builtin

_Tuple = TypeVar("_Tuple")


def by_reference(values: _Tuple) -> _Tuple:
    """Return a reference to a named tuple, to be used until the calling kernel returns.

    Kernels read its arrays by name, as from the tuple. With the JIT off it is the tuple.
    """
    return values


class Reference(Type):
    """The type of a reference to a named tuple.

    Parameters
    ----------
    target : numba type
        The type of the named tuple.
    """

    def __init__(self, target: Any) -> None:
        self.target = target
        super().__init__(f"Reference({target})")


@register_default(Reference)
class _Model(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, reference: Reference) -> None:
        pointer = manager.lookup(reference.target).get_value_type().as_pointer()
        super().__init__(manager, reference, pointer)


@infer_global(by_reference)
class _Call(AbstractTemplate):  # type: ignore[misc]
    def generic(self, arguments: Any, _: Any) -> Any:
        (values,) = arguments
        return signature(Reference(values), values)


@lower_builtin(by_reference, NamedTuple)
def _refer(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
    return cgutils.alloca_once_value(builder, arguments[0])


@infer_getattr
class _Attributes(AttributeTemplate):  # type: ignore[misc]
    key = Reference

    def generic_resolve(self, reference: Reference, name: str) -> Any:
        target = reference.target
        return dict(zip(target.fields, target.types, strict=True)).get(name)


@lower_getattr_generic(Reference)
def _read(context: Any, builder: Any, reference: Reference, pointer: Any, name: str) -> Any:
    place = reference.target.fields.index(name)
    return builder.load(cgutils.gep_inbounds(builder, pointer, 0, place))
