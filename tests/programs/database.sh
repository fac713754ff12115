# SPDX-License-Identifier: MIT
# sqlite3's shell, with a rollback journal and with a write-ahead log; killed in the middle of a transaction.
for mode in delete wal; do
  db=$mode.db
  sqlite3 $db "pragma journal_mode=$mode; create table t(a integer primary key, b text, c blob); create index i on t(b);"
  sqlite3 $db "begin; with recursive n(i) as (values(1) union all select i+1 from n where i<2000)
    insert into t select i, 'row '||(i*7919%2000), zeroblob(i%300) from n; commit; select count(*), sum(length(c)) from t;"
  sqlite3 $db 'select b from t where b like "row 19%" order by b limit 5; pragma integrity_check;'
  # A writer that never ends. What bash says about both deaths, whenever it notices them, has process IDs: a shell of their own
  # says it to nobody.
  (
    {
      echo 'begin; select "writing";'
      while :; do echo 'insert into t(b,c) values("more", zeroblob(5000));'; done
    } | {
      echo $BASHPID >pid
      exec sqlite3 $db >said
    }
  ) 2>/dev/null &
  while ! grep -q writing said; do sleep 0.1; done 2>/dev/null
  sleep 0.5
  kill -9 "$(cat pid)"
  wait
  rm said pid
  sqlite3 $db 'pragma integrity_check; select count(*) from t where b="more"; update t set b="x" where a%3=0; select count(*) from t where b="x"; vacuum; pragma integrity_check;'
  # Two at once: locks.
  for i in 1 2 3 4; do
    (for j in 1 2 3 4 5; do sqlite3 -cmd '.timeout 250000' $db "insert into t(b) values('w$i.$j');"; done) &
  done
  wait
  sqlite3 $db "select count(*) from t where b like 'w%'; pragma integrity_check; pragma wal_checkpoint(truncate);" && sqlite3 $db "select b, length(c) from t order by b, a" | sed "s,^more,," | sort -u | sha256sum
done
rm -f ./*.db ./*.db-*
