#!/bin/bash
# SPDX-License-Identifier: MIT
# Servers and clients of the network, in the guest or on the host, as servers.sh says. Runs in /mnt; PEER: a port of the
# host with an HTTP server. What the other side does is asked for by a line "ask WORD" and answered on stdin.
export LC_ALL=C PATH=/usr/sbin:/usr/bin HOME=/mnt
cd /mnt || exit

check() {
  local name=$1
  shift
  echo "--- $name"
  if "$@"; then echo "pass $name"; else echo "fail $name (status $?)"; fi
}

ask() {
  local answer
  echo "ask $*"
  read -r answer
  [[ $answer == good ]] || { echo "the other side: ${answer:-no answer}"; return 1; }
}

wait_for() { # COMMAND…
  local i
  for ((i = 0; i < 200; i++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  "$@"
}

redis() { redis-server --port 6379 --bind 127.0.0.1 --dir /mnt/redis --appendonly yes --save '' --daemonize no >>redis.log 2>&1; }

database() {
  redis &
  wait_for redis-cli ping && [[ $(redis-cli set inside "of the guest") == OK ]] && ask redis-first || return
  [[ $(redis-cli get outside) == "from the host" ]] || return
  redis-benchmark -q -n 300 -c 5 -t set,get | tr '\r' '\n' | grep -c 'requests per second' | grep -x 2 || return
  # Killed, not stopped: what was acknowledged is in the file.
  pkill -9 redis-server
  wait
  redis &
  wait_for redis-cli ping && [[ $(redis-cli get inside) == "of the guest" ]] && ask redis-second || return
  redis-cli shutdown nosave
  wait
}

web() {
  nginx -p /mnt/nginx -c nginx.conf -e error.log || return
  wait_for curl -sf -o /dev/null http://127.0.0.1:8080/small
  [[ $(curl -sf http://127.0.0.1:8080/big | sha256sum) == $(sha256sum <nginx/files/big) ]] || return
  ask web
  local status=$?
  nginx -p /mnt/nginx -c nginx.conf -e error.log -s stop
  return "$status"
}

downloads() {
  local base=http://127.0.0.1:$PEER
  mkdir -p downloads && cd downloads || return
  curl -sfO "$base/big" && cmp big ../nginx/files/big || return
  wget -q -O got "$base/big" && cmp got big || return
  curl -sf --parallel -O "$base/small" -o second "$base/small" && cmp small second || return
  curl -s -o none -w '%{http_code}\n' "$base/none" | grep -x 404 || return
  # Nobody listens there, here or on the host; and the host's policy does not let us ask others.
  curl -s http://127.0.0.1:9/; [[ $? == 7 ]] || return
  curl -s -m 20 http://127.0.0.2:$PEER/; [[ $? == 7 ]] || return
  python3 -S - "$PEER" <<'EOF'
import http.client, sys, threading
def get(sums):
    c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=60)
    for _ in range(3):
        c.request('GET', '/small'); sums.append(len(c.getresponse().read()))
sums = []
threads = [threading.Thread(target=get, args=(sums,)) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(set(sums)), len(sums))
sys.exit(len(sums) != 12)
EOF
}

storage() {
  fio --name=verify --directory=/mnt/fio --ioengine=psync --rw=randrw --bs=512-64k --size=4m --verify=crc32c --do_verify=1 --fsync=50 \
    --fallocate=none --output=/mnt/fio.log
}

check database database
check web web
check downloads downloads
check storage storage
