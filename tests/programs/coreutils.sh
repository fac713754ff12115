# SPDX-License-Identifier: MIT
# coreutils, and what they say about mistakes.
in=../in
cat $in/tree/README.md $in/big $in/tree/host-lib/worker.cc >joined
sha256sum joined $in/big
cp -r $in/tree copy
diff -r $in/tree copy && echo same tree
ls -lnR --time-style=+ copy
cp -a copy/host-lib again && cp --sparse=always joined sparse && cmp joined sparse && cp -l joined hard && cp -s ../in/big soft
stat -c '%n %s %a %F %h' joined sparse hard soft
for size in 1 511 512 4096 65536 1048576; do
  dd if=$in/big of=dd.$size bs=$size count=$((2000000 / size > 3000 ? 3000 : 2000000 / size)) status=none
done
dd if=/dev/zero of=dd.4096 bs=1000 count=3 seek=7 conv=notrunc status=none
dd if=$in/big of=dd.append bs=64k skip=3 count=2 oflag=append conv=notrunc,fsync status=none
dd if=$in/big of=dd.append bs=333 skip=1 count=5 oflag=append conv=notrunc status=none
sha256sum dd.*
sort -r copy/host-lib/*.cc | uniq -c | sort -n | tail -n 20
wc copy/host-lib/*.h | tail -n 1
cut -d: -f1 copy/README.md | tr a-z A-Z | head -n 20 | tac >cut
paste cut cut | fold -w 40 | nl | tail -n 5
split -b 100000 $in/big part. && cat part.* | cmp - $in/big && rm part.*
truncate -s 100000 grown && truncate -s +5 grown && truncate -s 77 joined && wc -c <grown && cksum grown joined
touch -d '2001-02-03 04:05:06.789' old && stat -c '%y %s' old
mkdir -p deep/er/est && rmdir -p deep/er/est && mkdir -m 1777 sticky && stat -c %a sticky
mv hard moved && mv moved copy/ && ln copy/moved linked && ln -s copy/moved alias && readlink alias && cmp alias linked && echo linked
ln -sf nowhere alias; readlink -m alias | sed 's,.*/,,'; cat alias
chmod 640 old && chmod u+x,o=r old && stat -c %a old && install -m 711 old installed && stat -c %a installed
tee one two <cut | md5sum; md5sum one two | md5sum -c 2>&1 || :
mktemp -p . name.XXXXXX | wc -c; rm name.*
tail -c 100 $in/big | od -An -tx1 | head -n 2; head -c -3000000 $in/big | wc -c
du -b --apparent-size -s again; comm -12 <(sort cut) <(sort one) | wc -l
echo mistakes
cat missing; mkdir copy; rmdir copy; ln one two; cp copy x; rm copy; cd one; mv copy copy/host-lib; touch missing/x; ls missing; >copy
chown 5 one; mknod dev c 1 3; rmdir one; readlink one; echo "status $?"
mkfifo fifo && (cat fifo & echo through a fifo >fifo; wait)
rm -r again && ls
