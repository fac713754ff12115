# SPDX-License-Identifier: MIT
# bash: pipelines, redirections, traps, job control.
set -m
for i in $(seq 50); do echo "line $i"; done >lines
while read -r word number; do ((sum += number)); done <lines; echo $sum
grep 5 <lines | sed 's/line/&s/' | tee copy | tac | { read -r first; echo "$first"; cat >rest; }; wc -l copy rest
exec 3>log 4<lines 5<>both
echo one >&3; read -r x <&4; read -r y <&4; echo "$x $y" >&3; echo two >&5; exec 3>>log; echo three >&3; exec 3>&- 4<&- 5>&-
cat log both; set -C; echo no >log || echo noclobber; set +C; echo yes >|log; cat log
cat <<EOF | sort -r >here
$(printf '%s\n' a c b)
EOF
cat here; diff <(sort here) <(printf 'a\nb\nc\n') && echo substituted
{ echo out; echo err >&2; } >both 2>&1; cat both; { echo out; echo err >&2; } 2>err >/dev/null; cat err
(trap 'echo trapped >>trap; exit 3' TERM; : >set; while :; do sleep 0.1; done) & pid=$!; until [ -e set ]; do sleep 0.1; done; kill -TERM $pid; wait $pid; echo "status $?"; cat trap; rm set
# In a shell of its own: what it says about the death, with a process ID, may come at any time.
(sleep 100 & state() { until grep -q ") $1 " /proc/$!/stat; do sleep 0.1; done; echo "state $1"; }
  state S; kill -STOP $!; state T; kill -CONT $!; state S; kill -KILL $!; wait $!; echo "status $?") 2>/dev/null
for i in 1 2 3 4 5 6 7 8; do (for j in $(seq 20); do echo "$i $j" >>appended; done) & done; wait; sort -n appended | uniq | wc -l; rm appended
(flock 9; echo locked; (flock -n 8 || echo refused) 8<lines; flock -s 9) 9<lines
mapfile -t array <lines; echo ${#array[@]} "${array[49]}"; cd .. && cd - >/dev/null && [ -f lines ] && echo back
[[ lines -nt ../in/big ]] && echo newer; [ lines -ef ./lines ] && echo same; test -w lines -a ! -x lines && echo tested
pwd; cd ../in/tree/host-lib && pwd && cat ../README.md | head -n 1; cd /mnt/shell
yes | head -n 100000 | wc -c >count; cat count; exit 5
