"""Named tuples by reference: a kernel passes one address, not every number of every array.

A named tuple of twenty arrays is 140 numbers. Numba passes each of them at every call, and copies
all of them to read one array. The tuple must not change while a reference to it is in use.
"""

from __future__ import annotations

from typing import Any, TypeVar

from numba.core import cgutils, types
from numba.core.datamodel import register_default
from numba.core.datamodel.models import PrimitiveModel
from numba.core.imputils import lower_getattr_generic
from numba.core.typing import signature
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
)
from numba.extending import lower_builtin

T = TypeVar("T")


class Reference(types.Type):  # type: ignore[misc]
    """The type of a reference to a named tuple."""

    def __init__(self, to: Any) -> None:
        self.to = to
        super().__init__(f"Reference({to})")

    @property
    def key(self):
        return self.to


@register_default(Reference)
class _Model(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, reference: Reference) -> None:
        pointer = manager.lookup(reference.to).get_value_type().as_pointer()
        super().__init__(manager, reference, pointer)


@infer_getattr
class _Attributes(AttributeTemplate):  # type: ignore[misc]
    key = Reference

    def generic_resolve(self, reference: Reference, name: str) -> Any:
        if name in reference.to.fields:
            return reference.to.types[reference.to.fields.index(name)]
        return None


@lower_getattr_generic(Reference)  # type: ignore[untyped-decorator]
def _get(context: Any, builder: Any, reference: Reference, pointer: Any, name: str) -> Any:
    place = cgutils.gep_inbounds(builder, pointer, 0, reference.to.fields.index(name))
    return builder.load(place)


def by_reference(values: T) -> T:
    """Return a reference to a named tuple, which lives as long as the calling kernel runs."""
    return values


@infer_global(by_reference)
class _ByReference(AbstractTemplate):  # type: ignore[misc]
    key = by_reference

    def generic(self, arguments: Any, _: Any) -> Any:
        (values,) = arguments
        return signature(Reference(values), values)


@lower_builtin(by_reference, types.BaseNamedTuple)  # type: ignore[untyped-decorator]
def _refer(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
    (values,) = arguments
    return cgutils.alloca_once_value(builder, values)
