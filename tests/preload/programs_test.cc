// SPDX-License-Identifier: MIT
// Programs of everyday use do with libfarcall-preload.so exactly what they do without it: output, status,
// files.
#include "tests/preload/rig.h"

namespace farcall::test {
namespace {

class PreloadPrograms : public PreloadRig {};

TEST_F(PreloadPrograms, Coreutils) {
    expect_same_always(
        "ls -lR /usr/share/doc/bash /etc/default; cat /etc/passwd /etc/group; sort -r /etc/passwd; sort -n - "
        "| uniq -c");
    expect_same_always(
        "seq 1 50000 | sort -R --random-source=/bin/ls | sort -n --parallel=2 -S 100K | sha256sum");
    expect_same_always(
        "cp -r /etc/default d; mv d e; ln -s e f; du -s --apparent-size e; rm e/*; ls f; rmdir e; stat -c "
        "'%n %F %s %a' e f; "
        "dd if=/bin/ls bs=511 count=9 status=none");
}

TEST_F(PreloadPrograms, Errors) {
    expect_same_always(
        "cat /nowhere; ls /nowhere /root/none; mkdir a a; rmdir /; cat < /nowhere; (exit 7); echo $?; head "
        "-c 5 /dev/zero >/dev/full; kill -9 $$");
}

TEST_F(PreloadPrograms, Archives) {
    expect_same_always(
        "mkdir t; cp -r /etc/default /usr/share/doc/bash t; tar --sort=name --mtime=@0 -cf - t | gzip -9n "
        ">t.tgz; "
        "mkdir u; tar -xzf t.tgz -C u; diff -r t u/t && echo same; gzip -t t.tgz; zcat t.tgz | tar -tvf - | "
        "wc -l; rm -r t u");
}

TEST_F(PreloadPrograms, Search) {
    expect_same_always(
        "find /etc/default /usr/share/doc/bash -type f -newer /etc/passwd -o -name '*.gz' | sort; "
        "grep -rn include /usr/include/linux/io* | sort; find /etc/default -type f -exec wc -l {} + ; echo a "
        "b c | xargs -n1 -P3 echo | sort");
}

TEST_F(PreloadPrograms, Git) {
    if (!installed("git")) GTEST_SKIP();
    expect_same_always(
        "export GIT_CONFIG_NOSYSTEM=1 HOME=$PWD GIT_AUTHOR_DATE='1700000000 +0000' "
        "GIT_COMMITTER_DATE='1700000000 +0000' "
        "GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
        "git init -q -b main r && cd r && cp -r /etc/default . && git add . && git commit -qm one && echo x "
        ">>default/new && git add -A && "
        "git commit -qm two && git log --stat && git fsck --full && git status --short && cd .. && git clone "
        "-q r s && "
        "git -C s log --oneline && git -C s gc -q && git -C s fsck; rm -f r/.git/index s/.git/index "
        "s/.git/objects/pack/* s/.git/FETCH_HEAD");
}

TEST_F(PreloadPrograms, Bash) {
    expect_same_always(
        "set -m; trap 'echo usr1' USR1; trap 'echo bye' EXIT; sleep 0.1 & wait $!; echo $?; (kill -USR1 $$); "
        "cat /etc/passwd | while read -r line; do echo \"${line%%:*}\"; done | sort | head -3; diff <(echo "
        "a) <(echo b); "
        "exec 5>five; echo text >&5; exec 5>&-; cat five; coproc cat; echo hello >&\"${COPROC[1]}\"; read -r "
        "back <&\"${COPROC[0]}\"; echo $back; "
        "kill $COPROC_PID; wait $COPROC_PID 2>/dev/null; echo $?; for i in 1 2 3; do (exit $i) & wait $!; "
        "echo $?; done; "
        "ulimit -n; echo <<<here; : ${unset?gone}");
}

TEST_F(PreloadPrograms, Environments) {
    expect_same_always(
        "env | sort; env -i /usr/bin/env; env -i A=b sh -c 'env; echo $0'; env FARCALL_PRELOAD=off ls -d .; "
        "set | grep -c ^LD_");
}

TEST_F(PreloadPrograms, Python) {
    if (!installed("python3")) GTEST_SKIP();
    expect_same_always(R"sh(python3 - <<'PY'
import os, socket, subprocess, threading, signal, select, mmap, tempfile
server = socket.create_server(("127.0.0.1", 0))
def serve():
    for _ in range(20):
        peer, _ = server.accept()
        data = peer.recv(100000)
        peer.sendall(data[::-1]); peer.close()
thread = threading.Thread(target=serve); thread.start()
for i in range(20):
    with socket.create_connection(server.getsockname()) as s:
        s.sendall(b"%d-abc" % i); s.shutdown(socket.SHUT_WR)
        print(s.recv(100))
thread.join()
print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True))
print(subprocess.run(["sed", "s/a/b/"], input=b"aaa", capture_output=True, close_fds=True).stdout)
signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()
pid = os.fork()
if pid == 0: os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
a, b = socket.socketpair(); e = select.epoll(); e.register(a, select.EPOLLIN); b.send(b"x"); print(len(e.poll(1)))
with open("file", "wb+") as f: f.write(b"x" * 10000); f.flush(); m = mmap.mmap(f.fileno(), 0); print(m[9999]); m[0:3] = b"abc"; m.flush()
import ctypes, ssl, sqlite3, hashlib, zlib
db = sqlite3.connect("db"); db.execute("create table t(a)"); db.executemany("insert into t values(?)", [(i,) for i in range(1000)]); db.commit()
print(db.execute("select sum(a) from t").fetchone(), ctypes.CDLL(None).getpid() == os.getpid())
PY
rm db)sh");
}

TEST_F(PreloadPrograms, Sqlite) {
    if (!installed("sqlite3")) GTEST_SKIP();
    expect_same_always(
        "sqlite3 db 'pragma journal_mode=wal; create table t(a, b); with recursive c(i) as (select 1 union "
        "all select "
        "i + 1 from c where i < 20000) insert into t select i, hex(i) from c; select count(*), sum(a) from "
        "t; pragma "
        "integrity_check;'; sqlite3 db .dump | sha256sum; rm db*");
}

TEST_F(PreloadPrograms, StaticProgramsAreLeftAlone) {
    if (!installed("busybox")) GTEST_SKIP();
    expect_same_always("/bin/busybox ls /etc/default; /bin/busybox sh -c 'echo $((1+2)); exit 4'");
}

TEST_F(PreloadPrograms, AnotherLibc) {
    if (!installed("musl-gcc")) GTEST_SKIP();
    const std::string source = (base_ / "hello.c").string(), program = (base_ / "hello").string();
    std::ofstream(source)
        << "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
           "int main(void){printf(\"%d %s\\n\",getppid()>0,getenv(\"LD_PRELOAD\")?\"seen\":\"hidden\");"
           "fflush(stdout);return system(\"echo child\");}\n";
    ASSERT_EQ(std::system(("musl-gcc -o '" + program + "' '" + source + "'").c_str()), 0);
    expect_same_always("'" + program + "'");
}

}  // namespace
}  // namespace farcall::test
