"""Compilation of kernels that are only part of others: no machine code of their own."""

from __future__ import annotations

from typing import Any

from numba._dynfunc import make_function
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The intermediate code of a kernel, linked into the kernels that call it.

    Numba optimises every function and makes machine code of it, with all that it calls, before
    another function can call it. A nested kernel is so compiled once per level.
    """

    def finalize(self) -> None:
        seen = set()
        for library in self._linking_libraries:
            if library not in seen:
                self._reload_init.update(library._reload_init)
                seen.add(library)
                self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):  # type: ignore[misc]
    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        state.flags.no_compile = True
        library = PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library = library
        super().run_pass(state)
        made = state.cr
        # Callers find the code by this object. It has no machine code.
        entry = make_function(
            made.fndesc.lookup_module(), made.fndesc.qualname, "", 0, made.env, (library,)
        )
        state.targetctx.insert_user_function(entry, made.fndesc, [library])
        state.cr = made._replace(cfunc=entry)
        return True


class PartCompiler(Compiler):  # type: ignore[misc]
    """Numba's compiler, into a `PartLibrary`."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [
            (_PartLowering if step is NativeLowering else step, said)
            for step, said in passes.passes
        ]
        passes._finalized = False
        passes.finalize()
        return [passes]
