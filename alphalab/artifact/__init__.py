"""What leaves research: strategies by file or name now; format, hashing and promotion later."""

from alphalab.artifact import loading as _loading  # noqa: F401  (lets workers import strategy files)
