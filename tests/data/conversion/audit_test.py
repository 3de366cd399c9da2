import json

import numpy as np

from vgg_slim.data.conversion import audit


def make_audit(first, count):
  """Pictures `first` .. of class (number % 2), of number + 20 by 40 pixels; every fifth is bad."""
  found = audit.Audit.empty(2)
  for number in range(first, first + count):
    name = f'{number}.png'
    if number % 5 == 4:
      found.add_quarantined(name, number % 2, 'broken')
      continue
    digest = audit.digest_of(b'%d' % (number // 2))
    found.add_good(name, number % 2, (number + 20, 40), digest)
    found.moments += number
    found.fixed.append(audit.Note(name, number % 2, 'alpha'))
    found.thumbnails.append(audit.Thumbnail(name, number % 2, b'\xff\xd8'))
  return found


def plain(found):
  return json.dumps(found.to_json(), sort_keys=True)


def test_counts_by_hand():
  found = make_audit(0, 20)
  assert (found.num_good, found.num_images) == (16, 20)
  assert found.per_class.tolist() == [8, 8]
  assert (found.heights, found.widths) == ((20, 38), (40, 40))
  # Smaller sides 20 .. 31 without 24 and 29 are ten, 32 .. 38 without 34 are six.
  assert found.sides == {5: 10, 6: 6}
  assert found.tiny == [f'{n}.png' for n in range(12) if n % 5 != 4]
  assert found.moments[3, 2, 1] == sum(n for n in range(20) if n % 5 != 4)
  assert [note.name for note in found.quarantined] == ['4.png', '9.png', '14.png', '19.png']


def test_parts_add_up_to_the_whole():
  found = make_audit(0, 7)
  found.merge(make_audit(7, 40))
  found.merge(audit.Audit.empty(2))
  assert plain(found) == plain(make_audit(0, 47))
  assert len(found.tiny) <= 20


def test_json_and_back():
  for found in (make_audit(0, 20), audit.Audit.empty(3)):
    again = audit.Audit.from_json(json.loads(json.dumps(found.to_json())))
    assert plain(again) == plain(found)
    again.merge(make_audit(20, 1)) if len(found.per_class) == 2 else None
    assert type(again.heights) in (tuple, type(None))


def test_equal_pictures_by_their_places():
  # 0 and 1 share a digest, 2 and 3, then 4 is left out, so that 5 is alone, and so on.
  assert audit.group_duplicates(make_audit(0, 12).digests) == [[0, 1], [2, 3], [6, 7], [10, 11]]
  assert audit.group_duplicates(b'') == []


def test_digests_that_agree_in_one_half_are_not_equal():
  halves = [b'a' * 8, b'b' * 8]
  digests = [one + other for one in halves for other in halves]
  assert audit.group_duplicates(b''.join(digests)) == []
  assert audit.group_duplicates(b''.join([*digests, digests[1], digests[2], digests[1]])) == [
    [1, 4, 6],
    [2, 5],
  ]


def test_of_tiny_images_the_first_20_are_named():
  def tiny(first, count):
    found = audit.Audit.empty(1)
    for number in range(first, first + count):
      found.add_good(str(number), 0, (50, 31), audit.digest_of(b'x'))
    return found

  expected = [str(number) for number in range(20)]
  assert tiny(0, 25).tiny == expected
  found = tiny(0, 12)
  found.merge(tiny(12, 12))
  assert found.tiny == expected
  large = audit.Audit.empty(1)
  large.add_good('x', 0, (32, 50), audit.digest_of(b'x'))
  assert large.tiny == []


def test_digests_of_pixels_know_the_shape():
  pixels = np.arange(12, dtype=np.uint8)
  digests = {audit.digest_of(pixels.reshape(shape)) for shape in ((3, 4), (4, 3), (2, 6))}
  assert len(digests) == 3
  assert audit.digest_of(b'x') == audit.digest_of(b'x')
  assert {len(digest) for digest in digests} == {audit.DIGEST_BYTES}
