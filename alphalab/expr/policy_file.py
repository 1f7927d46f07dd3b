"""`PolicyFile`: a trained policy as one ONNX graph, from an observation to the weights it asks for.

The graph normalises the observation, runs the network, and scales and cuts the action, so the
environment that trained it, a backtest and a live account run the same numbers. It runs in
onnxruntime on one thread with one observation at a time: results do not depend on threads, on
blocks or on other accounts.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from alphalab.errors import ArtifactError, DataError, import_extra
from alphalab.settings import Settings
from alphalab.types import FloatArray

#: Key of the description in the metadata of the file.
DESCRIPTION = "alphalab.policy"
INPUT, OUTPUT = "observation", "weights"
#: Bound of a feature; an observation of an environment has the same.
BOUND = 1e9
_N_PROBES = 256
_MOST_BYTES = 200_000_000


class PolicyDescription(Settings, frozen=True):
    """What a policy file says of itself: how its observation is made.

    Parameters
    ----------
    features : dict of str to str
        Canonical text of each feature by name, in the order of the observation.
    window : int
        Rows of features in an observation, oldest row first.
    symbols : tuple of str
        The N assets it was trained on.
    shows_asked : bool
        True: the weights that it asked for last follow the features, 0 at the start.
    probe : str
        Hash of its weights for 256 fixed observations, on the machine that wrote it; see `probe`.
    training : dict of str to str
        Notes on how it was made, for the reader.
    """

    features: dict[str, str]
    window: int
    symbols: tuple[str, ...]
    shows_asked: bool
    probe: str = ""
    training: dict[str, str] = {}  # noqa: RUF012
    version: Literal[1] = 1

    @property
    def size(self) -> int:
        """Number of values of an observation."""
        n = len(self.symbols)
        return self.window * len(self.features) * n + n * self.shows_asked


class PolicyDiffersWarning(UserWarning):
    """Weights of a policy differ from those on the machine that wrote it."""


class PolicyFile:
    """A policy that has been read and checked.

    Parameters
    ----------
    content : bytes
        An ONNX file with a description, as `alphalab_envs.training.export` writes it.
    name : str
        What messages call it.

    Attributes
    ----------
    sha256 : str
        Hash of the content, 64 hexadecimal digits: its identity.
    description : PolicyDescription

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    DataError
        A file that onnxruntime cannot read, such as one of a newer opset; one without a
        description; a graph whose input or output has another shape than described; a graph that
        draws random numbers or gives weights that are not finite.
    """

    def __init__(self, content: bytes, name: str = "policy") -> None:
        runtime: Any = import_extra("onnxruntime", "policy")
        self.content, self.name = content, name
        self.sha256 = hashlib.sha256(content).hexdigest()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors arrive as exceptions
        try:
            session = runtime.InferenceSession(
                content, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has no common base of its errors
            raise DataError(
                f"{name}: {str(error).splitlines()[0]:.200}",
                rule=f"a policy is an ONNX file that onnxruntime {runtime.__version__} reads.",
                fix="Export it again with an older opset, or install a newer onnxruntime.",
            ) from None
        self._run = session.run
        self.description = _description(session, name)
        _check_shapes(session, self.description, name)
        found = self.probe()
        if found != self.probe():
            raise DataError(
                f"{name} gives different weights for one observation",
                rule="a policy draws no random numbers: the same observation, the same weights.",
                fix="Export the mean of its action.",
            )
        if self.description.probe not in ("", found):
            warnings.warn(
                f"{name}: this machine computes other weights than the one that wrote it (probe "
                f"{found[:12]}, written {self.description.probe[:12]}); results may differ in the "
                "last digits",
                PolicyDiffersWarning,
                stacklevel=3,
            )

    def weights(self, observation: NDArray[np.float32]) -> FloatArray:
        """Return the weights (N,) that the policy asks for; `observation` is (D,)."""
        weights: FloatArray = self._run([OUTPUT], {INPUT: observation[np.newaxis]})[0][0]
        return weights

    def probe(self) -> str:
        """Return the SHA-256 of the weights for 256 fixed observations.

        Raises
        ------
        DataError
            Weights that are not finite.
        """
        rng = np.random.default_rng(0)
        digest = hashlib.sha256()
        for _ in range(_N_PROBES):
            weights = self.weights(rng.normal(0.0, 2.0, self.description.size).astype(np.float32))
            if not np.isfinite(weights).all():
                raise DataError(
                    f"{self.name} asks for weights {weights.tolist()}",
                    rule="weights are finite numbers.",
                    fix="Train it again: its parameters are broken.",
                )
            digest.update(weights.tobytes())
        return digest.hexdigest()


def read_policy(path: Path | str, sha256: str | None = None) -> PolicyFile:
    """Return the policy of a file.

    Parameters
    ----------
    path : Path or str
    sha256 : str, optional
        Hash that the file must have.

    Raises
    ------
    DataError
        A file that is missing, larger than 200 MB or no policy, see `PolicyFile`.
    ArtifactError
        A file with another hash.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= _MOST_BYTES else b""
    except OSError as error:
        raise DataError(f"policy {path}: {error.strerror}", fix="Check the path.") from None
    if size > _MOST_BYTES:
        raise DataError(f"policy {path} has {size:,} bytes", rule=f"at most {_MOST_BYTES:,} bytes.")
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ArtifactError(
            f"policy {path} has SHA-256 {found}",
            rule=f"only the file with the given hash is run, {sha256}.",
            fix="Get that file, or give the hash of this one if you trust it.",
        )
    return PolicyFile(content, str(path))


def _description(session: Any, name: str) -> PolicyDescription:
    text = session.get_modelmeta().custom_metadata_map.get(DESCRIPTION)
    if text is None:
        raise DataError(
            f"{name} has no description of its observation",
            rule=f"a policy names its features in the metadata {DESCRIPTION!r} of the ONNX file.",
            fix="Write it with alphalab train, or with alphalab_envs.training.export.",
        )
    try:
        return msgspec.json.decode(text, type=PolicyDescription)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DataError(
            f"{name}: its description: {error}", rule="it is what this version of alphalab writes."
        ) from None


def _check_shapes(session: Any, description: PolicyDescription, name: str) -> None:
    inputs = {x.name: (list(x.shape), x.type) for x in session.get_inputs()}
    outputs = {x.name: (list(x.shape), x.type) for x in session.get_outputs()}
    wanted_in = {INPUT: ([1, description.size], "tensor(float)")}
    wanted_out = {OUTPUT: ([1, len(description.symbols)], "tensor(double)")}
    if inputs != wanted_in or outputs != wanted_out:
        raise DataError(
            f"{name} maps {inputs} to {outputs}",
            rule=f"its description needs {wanted_in} and {wanted_out}.",
            fix="Export it again from the environment that it was trained in.",
        )
