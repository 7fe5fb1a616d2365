"""Files that are written at once: a new one takes the place of an old one when it is complete."""

import os
import shutil
import zipfile
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

#: Date of all members: equal contents make equal files.
DATE = (1980, 1, 1, 0, 0, 0)


def write(path, members):
    """Write members to a file, which replaces an old one only once it is complete.

    Parameters
    ----------
    path : str or PathLike
    members : dict of str to bytes
        Contents by name.

    Raises
    ------
    OSError
        If the folder does not exist, or cannot be written to.
    """
    with replacing(Path(os.path.realpath(path))) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, DATE), content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path):
    """Open a new file, which takes the place of the one at a path if all goes well."""
    if path.is_dir():
        raise IsADirectoryError(f"path is the folder {str(path)!r}: add the name of a file.")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"The folder {str(path.parent)!r} does not exist. Create it, or choose another path."
        )
    new = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        file = new.open("xb")
    except PermissionError as error:
        raise PermissionError(
            f"There is no right to write to the folder {str(path.parent)!r}. Choose another path."
        ) from error
    try:
        with file:
            yield file
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
