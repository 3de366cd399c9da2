import hashlib
import json

from vgg_slim.data import imagenet_classes


def test_synsets_and_words_are_those_that_keras_publishes():
  # imagenet_class_index.json, whose MD5 is in Keras's applications/imagenet_utils.py.
  words = list(imagenet_classes.names())
  synsets = imagenet_classes.canonical(words)
  assert (words[134], words[639]) == ('crane bird', 'maillot tank suit')
  words[134], words[639] = 'crane', 'maillot'
  index = {
    str(i): [synset, word.replace(' ', '_')]
    for i, (synset, word) in enumerate(zip(synsets, words, strict=True))
  }
  digest = hashlib.md5(json.dumps(index).encode()).hexdigest()
  assert digest == 'c2c37ea517e94d9795004a39431a14cb'


def test_names_are_unique_and_known():
  names = imagenet_classes.names()
  assert len(set(names)) == 1000
  assert (names[0], names[281], names[999]) == ('tench', 'tabby', 'toilet tissue')


def test_synsets_lines_of_a_mapping_and_words_are_one_thing():
  synsets = imagenet_classes.canonical(imagenet_classes.names())
  assert imagenet_classes.canonical(synsets) == synsets
  lines = [f'{synset} some, words of it' for synset in synsets]
  assert imagenet_classes.canonical(lines) == synsets


def test_other_classes_stay_as_they_are():
  assert imagenet_classes.canonical(['cat', 'dog']) == ('cat', 'dog')
  assert imagenet_classes.canonical(imagenet_classes.names()[:10])[0] == 'tench'
