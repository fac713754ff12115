# SPDX-License-Identifier: MIT
# tar and gzip of a source tree, there and back.
set -e
in=../in
tar -C $in --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner -cf tree.tar tree
sha256sum <(tar -tf tree.tar)
gzip -nk9 tree.tar
ls -1s --block-size=1M tree.tar >/dev/null
sha256sum tree.tar.gz
mkdir out && tar -C out -xzpf tree.tar.gz && diff -r $in/tree out/tree && echo same
tar -C $in --sort=name -cf - tree | tar -C out -xf - --overwrite && tar -C $in -df tree.tar 2>&1 | grep -v 'Mod time' || echo no difference
gzip -t tree.tar.gz && zcat tree.tar.gz | cmp - tree.tar && gunzip -c tree.tar.gz | tail -c 10240 | od -An -c | tail -n 2
ln -s tree out/link && mkfifo out/fifo && ln out/tree/README.md out/hard
tar -C out --numeric-owner -cf all.tar . && mkdir again && tar -C again -xpf all.tar && ls -lnR --time-style=+ again | sha256sum
rm all.tar
