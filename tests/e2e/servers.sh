#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Servers as Debian ships them, in a guest: redis, nginx, and clients of both kinds. Sourced by in_vm.sh.
web_port=$((ports + 9)) redis_port=$((ports + 10)) guest_web_port=$((ports + 11))

nginx_directory() { # DIRECTORY PORT: serves DIRECTORY/files
  mkdir -p "$1/files" "$1/tmp"
  cp in/a "$1/files/big"
  cp in/small "$1/files/small"
  cat >"$1/nginx.conf" <<EOF
worker_processes 1;
pid nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  sendfile on;
  client_body_temp_path tmp; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
  server { listen 127.0.0.1:$2; root files; }
}
EOF
}

servers_prepare() {
  rm -rf servers
  mkdir -p servers/{redis,fio}
  nginx_directory servers/nginx 8080
  cp "$here/servers_guest.sh" servers/run
}

# What the guest asks its host for.
server_answer() {
  local url=http://127.0.0.1:$guest_web_port
  case $1 in
    redis-first)
      redis-cli -p "$redis_port" set outside "from the host" && redis-benchmark -q -p "$redis_port" -n 1000 -c 10 -t set,get,lpush,mset ;;
    redis-second) [[ $(redis-cli -p "$redis_port" get outside) == "from the host" ]] ;;
    web)
      cmp <(curl -sf "$url/big") in/a && cmp <(curl -sf -r 1000-59999 "$url/small") <(tail -c +1001 in/small | head -c 59000) \
        && wrk -t 1 -c 8 -d 5 --timeout 30s "$url/small" >wrk.log && cat wrk.log && ! grep -E 'Socket errors|Non-2xx' wrk.log ;;
    *) echo "unknown: $*"; return 1 ;;
  esac
}

servers_session() {
  servers_prepare
  rm -f to from
  mkfifo to from
  vm_here --root host --memory 1G --kernel-log servers.klog --share "$work/servers:/mnt:rw" --env "PEER=$web_port" \
    --allow "tcp:127.0.0.1:$web_port" --publish "$redis_port:6379" --publish "$guest_web_port:8080" -- /bin/bash /mnt/run <to >from 2>&1 &
  # shellcheck disable=SC2034
  vm_pid=$!
  converse server_answer
}

server_checks() {
  if [[ ! -d web ]]; then
    nginx_directory web "$web_port"
    nginx -p "$work/web" -c nginx.conf -e error.log -g 'daemon off; user root;' &
    peers+=("$!")
  fi
  with_retries servers servers_session
  tail -n 5 servers/redis.log servers/nginx/error.log servers/fio.log
  guest_verdicts "$release-servers"
  verdict "$release-servers-status" session_ended 0
  verdict "$release-servers-kernel-log" kernel_log_is_clean servers.klog
}
