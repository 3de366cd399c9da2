import json

import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.training import cluster


def environment(workers=('a:1', 'b:2'), kind='worker', index=1):
  values = {'cluster': {'worker': workers}, 'task': {'type': kind, 'index': index}}
  return {'TF_CONFIG': json.dumps(values)}


def test_read():
  assert cluster.read_cluster(environment()) == cluster.Cluster(('a:1', 'b:2'), 1)


@pytest.mark.parametrize('alone', [{}, {'TF_CONFIG': ''}, environment(['a:1'], index=0)])
def test_no_cluster(alone):
  assert cluster.read_cluster(alone) is None


def test_other_jobs_do_not_matter():
  values = json.loads(environment()['TF_CONFIG'])
  values['cluster']['evaluator'] = ['c:3']
  assert cluster.read_cluster({'TF_CONFIG': json.dumps(values)}).workers == ('a:1', 'b:2')


@pytest.mark.parametrize(
  'wrong',
  [
    {'TF_CONFIG': 'a:1,b:2'},
    {'TF_CONFIG': '{"cluster": {}}'},
    {'TF_CONFIG': '[]'},
    environment(workers='a:1'),
    environment(workers=['a:1', 2]),
    environment(kind='ps', index=0),
    environment(index=2),
    environment(index='0'),
  ],
)
def test_a_wrong_tf_config_is_shown_beside_a_right_one(wrong):
  with pytest.raises(ConfigError, match='TF_CONFIG=.*expected .*"worker": ..host:port'):
    cluster.read_cluster(wrong)


def test_local_clusters_name_each_worker_at_a_port_of_its_own():
  clusters = cluster.local_clusters(3)
  assert [one.index for one in clusters] == [0, 1, 2]
  assert len({one.workers for one in clusters}) == 1
  ports = {address.removeprefix('127.0.0.1:') for address in clusters[0].workers}
  assert len(ports) == 3
  assert all(port.isdecimal() for port in ports)
  assert cluster.read_cluster({'TF_CONFIG': clusters[2].to_json()}) == clusters[2]
