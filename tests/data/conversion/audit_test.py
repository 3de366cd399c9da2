import json

from vgg_slim.data.conversion import audit


def make_audit(first, count):
  """Images from `first` on: class number % 2, (number + 20) x 40 pixels; every fifth is broken."""
  image_audit = audit.Audit.empty(2)
  for number in range(first, first + count):
    name = f'{number}.png'
    if number % 5 == 4:
      image_audit.add_quarantined(name, number % 2, 'broken')
      continue
    digest = b'%016d' % (number // 2 + 1)
    image_audit.add_good(name, number % 2, (number + 20, 40), digest)
    image_audit.moments += number
    image_audit.fixed.append(audit.Note(name, number % 2, 'alpha'))
    image_audit.thumbnails.append(audit.Thumbnail(name, number % 2, b'\xff\xd8'))
  return image_audit


def as_json(image_audit):
  return json.dumps(image_audit.to_json(), sort_keys=True)


def test_counts_agree_with_hand_arithmetic():
  image_audit = make_audit(0, 20)
  assert (image_audit.num_good, image_audit.num_images) == (16, 20)
  assert image_audit.per_class.tolist() == [8, 8]
  assert (image_audit.heights, image_audit.widths) == ((20, 38), (40, 40))
  # Ten smaller sides are in 20..31 (24 and 29 are broken), six in 32..38 (34 is broken).
  # 20 x 40 is twice as wide as high; the others are less elongated.
  assert image_audit.elongated == ('0.png', 20, 40)
  assert image_audit.sides == {5: 10, 6: 6}
  assert image_audit.tiny == [f'{n}.png' for n in range(12) if n % 5 != 4]
  assert image_audit.moments[3, 2, 1] == sum(n for n in range(20) if n % 5 != 4)
  assert [note.name for note in image_audit.quarantined] == ['4.png', '9.png', '14.png', '19.png']


def test_merged_parts_equal_the_whole():
  image_audit = make_audit(0, 7)
  image_audit.merge(make_audit(7, 40))
  image_audit.merge(audit.Audit.empty(2))
  assert as_json(image_audit) == as_json(make_audit(0, 47))
  assert len(image_audit.tiny) <= 20


def test_json_round_trip():
  for image_audit in (make_audit(0, 20), audit.Audit.empty(3)):
    again = audit.Audit.from_json(json.loads(json.dumps(image_audit.to_json())))
    assert as_json(again) == as_json(image_audit)
    again.merge(make_audit(20, 1)) if len(image_audit.per_class) == 2 else None
    assert type(again.heights) in (tuple, type(None))


def test_duplicates_are_grouped_by_index():
  # Images 0 and 1 share a digest, as do 2 and 3; 4 is left out, so 5 has no duplicate; and so on.
  assert audit.group_duplicates(make_audit(0, 12).digests) == [[0, 1], [2, 3], [6, 7], [10, 11]]
  assert audit.group_duplicates(b'') == []


def test_digests_that_share_only_one_half_are_not_duplicates():
  halves = [b'a' * 8, b'b' * 8]
  digests = [one + other for one in halves for other in halves]
  assert audit.group_duplicates(b''.join(digests)) == []
  assert audit.group_duplicates(b''.join([*digests, digests[1], digests[2], digests[1]])) == [
    [1, 4, 6],
    [2, 5],
  ]


def test_only_the_first_20_tiny_images_are_named():
  def tiny(first, count):
    image_audit = audit.Audit.empty(1)
    for number in range(first, first + count):
      image_audit.add_good(str(number), 0, (50, 31), b'x' * 16)
    return image_audit

  expected = [str(number) for number in range(20)]
  assert tiny(0, 25).tiny == expected
  image_audit = tiny(0, 12)
  image_audit.merge(tiny(12, 12))
  assert image_audit.tiny == expected
  large = audit.Audit.empty(1)
  large.add_good('x', 0, (32, 50), b'x' * 16)
  assert large.tiny == []


def test_what_is_removed_was_not_there():
  whole, part = make_audit(0, 30), make_audit(30, 7)
  whole.merge(part)
  whole.remove(part)
  expected = make_audit(0, 30)
  for field in ('fixed', 'quarantined', 'thumbnails', 'sides', 'tiny'):
    assert getattr(whole, field) == getattr(expected, field)
  assert whole.per_class.tolist() == expected.per_class.tolist()
  assert (whole.moments == expected.moments).all()


def test_the_most_elongated_image_is_the_first_of_the_largest_ratio():
  image_audit = audit.Audit.empty(1)
  assert image_audit.elongated is None
  for name, size in [('square', (9, 9)), ('a', (2, 6)), ('b', (3, 1)), ('c', (300, 101))]:
    image_audit.add_good(name, 0, size, b'x' * 16)
  assert image_audit.elongated == ('a', 2, 6)
  other = audit.Audit.empty(1)
  other.add_good('d', 0, (31, 10), b'x' * 16)
  image_audit.merge(other)
  assert image_audit.elongated == ('d', 31, 10)
