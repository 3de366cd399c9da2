"""Makes a checkpoint of published weights, or of a file, once; later runs reuse it."""

import pathlib
import shutil
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vgg_slim import locks
from vgg_slim.checkpoints import prefixes
from vgg_slim.checkpoints.contract import contract_path
from vgg_slim.errors import CheckpointError, FolderInUseError, OutputError
from vgg_slim.weights import download, formats, importer, known_input, published
from vgg_slim.weights.download import ReportFn
from vgg_slim.weights.published import PublishedFile

_ARCHIVE = '.tar.gz'
_SECONDS_BETWEEN_LOOKS = 1.0


def prepare(
  weights: str,
  model: str,
  needs_head: bool,
  folder: pathlib.Path,
  report: ReportFn,
  say: Callable[[str], None],
) -> str:
  """Returns the prefix of a checkpoint of the weights, which is made if `folder` has none yet.

  Waits for another process that is making it.

  Args:
    weights: 'imagenet', the name of a published file, or the path of a file.
    model: one of `specs.MODEL_NAMES`.
    needs_head: whether the head for 1,000 classes is imported, or only the trunk.
    folder: folder for downloads and checkpoints.
    report: function called with the numbers of megabytes that have come and are expected.
    say: function called with one line for each thing that is done.

  Raises:
    CheckpointError: the file is not here and cannot be downloaded, or cannot be imported.
    ConfigError: no published weights fit.
    OutputError: `folder` cannot be written to.
  """
  given = pathlib.Path(weights)
  file: PublishedFile | None
  if given.is_file():
    file = known_input.find_file(weights)
    stem = prefixes.without_pattern(given.stem)
    name = f'{stem}_{formats.sha256(weights)[:12]}_{model.replace("@", "_")}'
  else:
    file = published.choose(weights, model, needs_head)
    name = file.name.replace('/', '_')
  is_trunk = not needs_head and (file is None or file.has_head)
  prefix = str(folder / (f'{name}_trunk' if is_trunk else name))
  is_waiting = False
  while not _is_complete(prefix):
    try:
      path = _find(file, folder, report, say) if file and not given.is_file() else given
      with _unpacked(path, folder) as source:
        request = importer.ImportRequest(
          source, model, prefix, trunk_only=not needs_head, input_is_unknown=True
        )
        texts: list[str] = []
        importer.run_import(request, texts.append)
      if file is None:  # of published files everything is known
        for text in texts:
          say(text)
        say('tools/import_weights has the flags for another input, head or layout.')
      say(f'Imported {path} into {prefix}, which later commands reuse.')
    except FolderInUseError as error:  # such as another worker of the same run
      if not is_waiting:
        say(f'Waiting for another process: {error}')
      is_waiting = True
      time.sleep(_SECONDS_BETWEEN_LOOKS)
    except OutputError:
      if not _is_complete(prefix):  # otherwise another process has just made it
        raise
  return prefix


def _is_complete(prefix: str) -> bool:
  return pathlib.Path(f'{prefix}.index').is_file() and contract_path(prefix).is_file()


def _find(
  file: PublishedFile, folder: pathlib.Path, report: ReportFn, say: Callable[[str], None]
) -> pathlib.Path:
  path = download.find(file, folder)
  if path:
    return path
  say(f'Downloading {file.url} into {folder}. License: {file.license}.')
  return download.fetch(file, folder, report)


@contextmanager
def _unpacked(path: pathlib.Path, folder: pathlib.Path) -> Iterator[str]:
  """Yields the path of the checkpoint in a `.tar.gz`, unpacked while the block runs; else `path`.

  Raises:
    CheckpointError: the archive is damaged, or does not hold exactly one checkpoint.
  """
  if not path.name.endswith(_ARCHIVE):
    yield str(path)
    return
  with locks.scratch_folder(folder / f'.{path.name}.unpacked', str(path)) as scratch:
    try:
      with tarfile.open(path, 'r:gz') as archive:
        members = [m for m in archive.getmembers() if m.isfile() and m.name.endswith('.ckpt')]
        if len(members) != 1:
          raise CheckpointError(f'{path} holds {len(members)} files *.ckpt, expected one.')
        target = scratch / pathlib.PurePosixPath(members[0].name).name
        with target.open('wb') as unpacked:
          shutil.copyfileobj(archive.extractfile(members[0]), unpacked)  # type: ignore[arg-type]
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
      raise CheckpointError(f'{path} is truncated or damaged; delete it: {error}') from error
    yield str(target)
