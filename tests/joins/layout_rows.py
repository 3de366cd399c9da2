"""The rows of `layouts`: what people have, and what they expect of the converter."""

import numpy as np

from tests.joins.layouts import (
  CLASSES,
  COLORS,
  FLAT,
  MORE,
  ORDER,
  PER_CLASS,
  SPLITS,
  TEST,
  TRAIN,
  VALID,
  Layout,
  archive,
  around,
  arrays,
  both,
  idx_files,
  images,
  lines,
  linked,
  listed,
  repacked,
  tree,
)

_ALL = {'train': both()}
_BOTH = {'train': both(), 'test': both()}
_IDS = [f'{i}_{name}' for name in COLORS for i in range(PER_CLASS)]
_PATHS = images('train/cat', 'train/dog')


def _numbered(cat, dog):
  return {split: both(cat=cat, dog=dog) for split in ('train', 'test')}


FOLDERS = [
  Layout('one folder per class', tree(*CLASSES), _ALL, says='cat, dog'),
  Layout('more folders inside the classes', tree(*images('cat/2024/May', 'dog/a/b/c')), _ALL),
  Layout(
    'the same file names in every class and with every ending',
    tree(*CLASSES, 'cat/0.jpg', 'dog/0.jpg', 'cat/a/0.png', 'dog/a/0.png'),
    {'train': both(7)},
  ),
  Layout(
    'one more folder around everything',
    tree(*images('photos/cat', 'photos/dog')),
    _ALL,
    around='photos/',
  ),
  Layout('`train`, `valid` and `test`', tree(*TRAIN, *VALID, *TEST), SPLITS),
  Layout(
    '`training_set` and `test_set`',
    tree(*images('training_set/cat', 'training_set/dog'), *images('test_set/cat', 'test_set/dog')),
    {'train': both(), 'test': both()},
  ),
  Layout(
    '`Training`, `Validation` and `Testing` in capitals',
    tree(*images(*(f'{s}/{c}' for s in ('TRAINING', 'VALIDATION', 'TESTING') for c in both()))),
    {'train': both(), 'validation': both(), 'test': both()},
  ),
  Layout(
    'splits inside the classes',
    tree(*images('cat/train', 'cat/val', 'dog/train', 'dog/val')),
    'splits within classes',
  ),
  Layout(
    'folds or other splits with unknown names',
    tree(*images('fold1/cat', 'fold1/dog', 'fold2/cat', 'fold2/dog')),
    'splits with unknown names',
  ),
  Layout('`valid` and `test` without `train`', tree(*VALID, *TEST), 'none for training'),
  Layout(
    'another folder beside the splits',
    tree(*TRAIN, *TEST, *images('masks/cat', 'masks/dog')),
    'masks beside it',
  ),
  Layout(
    'a test folder without labels, as on Kaggle',
    tree(*TRAIN, *[f'test/{i}_cat.png' for i in range(3)]),
    _ALL,
    says='Left out: 3 images',
    only_predicted=3,
  ),
  Layout(
    'a validation folder that lacks a class',
    tree(*TRAIN, *images('val/cat', count=2)),
    {'train': both(), 'validation': both(2) | {'dog': 0}},
    says='validation has no images of 1 of the 2 classes: dog',
  ),
  Layout(
    'an empty class folder in the test split',
    tree(*TRAIN, *images('test/cat', count=2), folders=('test/dog',)),
    {'train': both(), 'test': {'cat': 2, 'dog': 0}},
    says='test has no images of 1 of the 2 classes: dog',
  ),
  Layout(
    'an empty class folder', tree(*CLASSES, folders=('bird',)), 'class folders without images: bird'
  ),
  Layout('a single class', tree(*images('cat')), 'at least two class folders, found 1: cat'),
  Layout('no images at all', tree(texts={'a/x.txt': 'x', 'b/y.txt': 'y'}), 'without images: a, b'),
  Layout(
    'no class folders, but classes in the names, `cat.0.jpg`',
    tree(*FLAT),
    'labels_from=prefix',
  ),
  Layout(
    'the same with `--labels_from=prefix`',
    tree(*FLAT),
    _ALL,
    flags=('--labels_from=prefix',),
  ),
  Layout(
    'what systems leave behind: `__MACOSX`, `.git`, `.DS_Store`, `Thumbs.db`',
    tree(
      *CLASSES,
      *('__MACOSX/cat/._0.png', '.git/cat/0.png', 'cat/.hidden_cat.png'),
      texts={'.DS_Store': 'x', 'cat/.DS_Store': 'x', 'cat/Thumbs.db': 'x', 'dog/desktop.ini': 'x'},
    ),
    _ALL,
  ),
  Layout(
    'annotations beside the images',
    tree(*CLASSES, texts=dict.fromkeys(('cat/0.xml', 'cat/1.xml', 'dog/0.json'), '<x/>')),
    _ALL,
  ),
  Layout(
    'files beside the class folders',
    tree(*CLASSES, 'cover_cat.png', texts={'README.md': 'x', 'labels.csv': 'x'}),
    _ALL,
    says='Left out: 1 image',
    only_predicted=1,
  ),
  Layout('links to class folders and to files, and a loop', linked, _ALL),
  Layout(
    'classes named with spaces, commas, brackets and in other scripts',
    tree(*images('猫 cat', 'dog, [small] 100%')),
    {'train': {'dog, [small] 100%': 5, '猫 cat': 5}},
  ),
  Layout(
    'names that are not UTF-8 or contain a line break',
    tree(*CLASSES, 'cat/caf\udce9.png', 'cat/two\nlines.png', 'dog/=1+1.png', 'dog/-x.png'),
    {'train': both(7)},
  ),
  Layout(
    'endings in capitals, unusual ones and none',
    tree(*CLASSES, 'cat/A.PNG', 'cat/B.JPG', 'dog/tweet.jpg_large', 'dog/download'),
    {'train': both(7)},
  ),
  Layout(
    'classes in an order of your own, `--labels`',
    tree(*CLASSES, texts=ORDER),
    {'train': {'dog': 5, 'cat': 5}},
    flags=('--labels={root}/classes.txt',),
  ),
  Layout(
    '`--labels` with a class that has no folder',
    tree(*CLASSES, texts=MORE),
    {'train': {'bird': 0, **both()}},
    flags=('--labels={root}/classes.txt',),
    says='train has no images of 1 of the 3 classes: bird',
  ),
  Layout(
    '`--labels` without a class that has a folder',
    tree(*CLASSES, *images('fox_cat'), texts=ORDER),
    'class folders that --labels does not name: fox_cat',
    flags=('--labels={root}/classes.txt',),
  ),
]

ARCHIVES = [
  Layout('`.tar`', archive('x.tar', *CLASSES), _ALL, 'tar'),
  Layout(
    '`.tar.gz` with a folder around',
    archive('x.tar.gz', *images('flower_photos/cat', 'flower_photos/dog')),
    _ALL,
    'tar',
  ),
  Layout('`.tgz` with splits', archive('x.tgz', *TRAIN, *VALID, *TEST), SPLITS, 'tar'),
  Layout('`.tar.bz2`', archive('x.tar.bz2', *CLASSES), _ALL, 'tar'),
  Layout('`.tar.xz`', archive('x.tar.xz', *CLASSES), _ALL, 'tar'),
  Layout('`.zip`', archive('x.zip', *CLASSES), _ALL, 'zip'),
  Layout('`.zip` made by a file manager', repacked, _ALL, 'zip'),
  Layout(
    '`.zip` made by macOS, with `__MACOSX`',
    archive('x.zip', *CLASSES, *(f'__MACOSX/{path}' for path in CLASSES)),
    _ALL,
    'zip',
  ),
  Layout('`.zip` with splits', archive('x.zip', *TRAIN, *VALID, *TEST), SPLITS, 'zip'),
  Layout(
    '`.zip` of files named by class',
    archive('x.zip', *FLAT),
    'labels_from=prefix',
    'zip',
  ),
  Layout(
    'names that point outside the archive',
    archive('x.zip', *CLASSES, '../cat.png'),
    'points outside',
    'zip',
  ),
  Layout(
    'absolute names in an archive',
    archive('x.tar', *CLASSES, '/tmp/cat.png'),
    'points outside',
    'tar',
  ),
  Layout('an archive that was cut off', archive('x.tar', *CLASSES, is_cut=True), 'cut off', 'tar'),
  Layout(
    'a `.zip` that was cut off',
    archive('x.zip', *CLASSES, is_cut=True),
    'neither a tar nor a zip archive',
    'zip',
  ),
  Layout('`--dataset=folder` for an archive', archive('x.zip', *CLASSES), '--dataset=tar or zip'),
  Layout('a folder with an archive in it', around, 'found 0: none'),
]


def _list(about, text, outcome, paths=_PATHS, **fields):
  return Layout(about, listed('list.csv', text, *paths), outcome, 'list', **fields)


LISTS = [
  _list('`path,label` without a header', lines('{0},{1}', *_PATHS), _ALL),
  _list('`filename,class` with tabs', 'filename\tclass\n' + lines('{0}\t{1}', *_PATHS), _ALL),
  _list(
    "Caffe's `path number`",
    lines('{0} {1}', *_PATHS).replace(' cat', ' 9').replace(' dog', ' 10'),
    {'train': both(cat='9', dog='10')},
  ),
  _list(
    'a column of splits',
    'path,label,split\n'
    + lines('{0},{1},train', *TRAIN)
    + lines('{0},{1},valid', *VALID)
    + lines('{0},{1},Test', *TEST),
    SPLITS,
    (*TRAIN, *VALID, *TEST),
  ),
  _list('absolute paths', lines('{{root}}/{0},{1}', *_PATHS), _ALL),
  _list(
    "Kaggle's `id,breed`, without the ending of the files",
    'id,breed\n' + lines('{0},{1}', *_IDS),
    _ALL,
    [f'train/{name}.jpg' for name in _IDS],
  ),
  _list(
    'quotes, a comma in a path and a byte order mark, as Excel writes',
    '\ufeffpath,label\n' + lines('"{0}","{1}"', *_PATHS, 'a,cat.png'),
    {'train': {'cat': 6, 'dog': 5}},
    (*_PATHS, 'a,cat.png'),
  ),
  _list(
    'paths with backslashes, as Windows writes',
    lines('{0},{1}', *_PATHS).replace('/', '\\'),
    _ALL,
  ),
  _list(
    'a file of the list is missing',
    lines('{0},{1}', *_PATHS, 'gone_cat.png'),
    _ALL,
    says='1 image left out',
  ),
  _list('lines without a label', 'a.png,\nb.png,cat\n', 'line 1 needs'),
  _list('a list of one class', lines('{0},cat', *_PATHS), 'two classes'),
]

ARRAYS = [
  Layout('`.npz` as Keras has it', arrays(), _BOTH, 'npz'),
  Layout('`.npz` with labels `[N, 1]`', arrays(label_shape=(-1, 1)), _BOTH, 'npz'),
  Layout('`.npz` of floats', arrays(np.float32), 'must be uint8', 'npz'),
  Layout('`.npz` with other keys', arrays(keys='ab'), 'needs x_train', 'npz'),
  Layout("files with MNIST's names", idx_files(), _numbered('0', '1'), 'idx'),
  Layout("labels from 1, as EMNIST's letters", idx_files(1), _numbered('1', '2'), 'idx'),
]

ROWS = [*FOLDERS, *ARCHIVES, *LISTS, *ARRAYS]
