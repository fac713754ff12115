# SPDX-License-Identifier: MIT
# Python: threads, sockets, processes, mappings, locks.
exec python3 -S - <<'EOF'
import ctypes, errno, fcntl, hashlib, json, mmap, os, select, shutil, signal, socket, struct, subprocess, sys, tempfile, threading

def digest(path):
    return hashlib.sha256(open(path, 'rb').read()).hexdigest()

# Files and mappings.
shutil.copyfile('../in/big', 'big')
print(os.path.getsize('big'), digest('big'))
with open('big', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0)
    m[100:110] = b'0123456789'
    f.seek(0, 2); size = f.tell()
    m[size - 4:] = b'tail'
    m.flush()
    print(os.pread(f.fileno(), 10, 100), os.pread(f.fileno(), 10, size - 4))
    os.pwrite(f.fileno(), b'through the descriptor', 5000)
    print(m[5000:5022])
    private = mmap.mmap(f.fileno(), 8192, flags=mmap.MAP_PRIVATE)
    private[0:5] = b'mine!'
    print(m[0:5] == private[0:5])
    private.close(); m.close()
print(digest('big'))
with open('sparse', 'wb') as f:
    f.seek(1 << 20); f.write(b'x'); f.truncate(3 << 20)
print(os.stat('sparse').st_size, open('sparse', 'rb').read(5))

# Open and gone.
f = open('gone', 'w+'); f.write('still here'); f.flush(); os.unlink('gone'); f.seek(0)
print(f.read(), os.fstat(f.fileno()).st_nlink, os.path.exists('gone')); f.close()
a = os.open('appended', os.O_CREAT | os.O_WRONLY | os.O_APPEND); b = os.dup(a)
os.write(a, b'one '); os.write(b, b'two '); os.lseek(a, 0, 0); os.write(a, b'three'); print(open('appended').read())
print(os.lseek(b, 0, os.SEEK_CUR))
for flags in (os.O_CREAT | os.O_EXCL, os.O_DIRECTORY, os.O_NOFOLLOW):
    try:
        os.close(os.open('appended', flags | os.O_RDWR)); print('opened')
    except OSError as e:
        print(errno.errorcode[e.errno])

# One offset for two processes.
f = os.open('../in/big', os.O_RDONLY)
first = os.read(f, 10)
if os.fork() == 0:
    os.read(f, 90); os._exit(0)
os.wait(); print(os.lseek(f, 0, os.SEEK_CUR)); os.close(f)

# Locks between processes.
f = open('locked', 'w'); fcntl.lockf(f, fcntl.LOCK_EX)
code = 'import fcntl\nf = open("locked", "w")\ntry:\n  fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB); print("got it")\nexcept BlockingIOError: print("busy")'
print(subprocess.run([sys.executable, '-S', '-c', code], capture_output=True, text=True).stdout.strip()); f.close()
print(subprocess.run([sys.executable, '-S', '-c', code], capture_output=True, text=True).stdout.strip())

# Threads that write their own parts.
def part(i):
    with open('parts', 'r+b') as f:
        for j in range(20):
            f.seek((j * 8 + i) * 1000); f.write(bytes([65 + i]) * 1000)
open('parts', 'wb').close()
threads = [threading.Thread(target=part, args=(i,)) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(digest('parts'))

# A Unix socket in the share, a descriptor passed through it.
server = socket.socket(socket.AF_UNIX); server.bind('socket'); server.listen()
def answer():
    c, _ = server.accept(); data, fds, _, _ = socket.recv_fds(c, 100, 4)
    c.sendall(data.upper() + os.pread(fds[0], 5, 100)); c.close()
t = threading.Thread(target=answer); t.start()
c = socket.socket(socket.AF_UNIX); c.connect('socket')
with open('big', 'rb') as f:
    socket.send_fds(c, [b'hello '], [f.fileno()])
print(c.recv(100)); t.join(); os.unlink('socket')

# TCP between threads: epoll, non-blocking.
server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(); server.setblocking(False)
def clients():
    for i in range(5):
        c = socket.create_connection(server.getsockname()); c.sendall(b'x' * 10000 * (i + 1)); c.shutdown(socket.SHUT_WR)
        assert c.recv(100) == b'%d' % (10000 * (i + 1)); c.close()
t = threading.Thread(target=clients); t.start()
epoll = select.epoll(); epoll.register(server, select.EPOLLIN); open_ones = {}; done = 0
while done < 5:
    for fd, event in epoll.poll(30):
        if fd == server.fileno():
            c, _ = server.accept(); c.setblocking(False); open_ones[c.fileno()] = [c, 0]; epoll.register(c, select.EPOLLIN | select.EPOLLET)
            fd = c.fileno()
        entry = open_ones[fd]
        while True:
            try: data = entry[0].recv(4096)
            except BlockingIOError: break
            if not data:
                entry[0].sendall(b'%d' % entry[1]); epoll.unregister(fd); entry[0].close(); del open_ones[fd]; done += 1; print(entry[1]); break
            entry[1] += len(data)
t.join()

# sendfile, splice, copy_file_range, directories.
with open('big', 'rb') as f, open('sent', 'wb') as g:
    print(os.sendfile(g.fileno(), f.fileno(), 1000, 50000))
    r, w = os.pipe(); print(os.splice(f.fileno(), w, 4096, offset_src=0)); print(len(os.read(r, 9999)))
    print(os.copy_file_range(f.fileno(), g.fileno(), 70000, 0, 50000))
print(digest('sent'))
os.makedirs('d/e'); open('d/e/f', 'w').close(); d = os.open('d', os.O_RDONLY)
print(sorted(os.listdir(d)), os.stat('e/f', dir_fd=d).st_size); os.rename('e/f', 'g', src_dir_fd=d, dst_dir_fd=d); print(sorted(os.listdir('d')))
os.fsync(d); os.close(d); shutil.rmtree('d')
os.mkdir('full')
for i in range(300): open('full/%d' % i, 'w').close()
print(len(os.listdir('full'))); [os.unlink('full/%d' % i) for i in range(0, 300, 2)]; print(len(os.listdir('full')))
os.utime('sent', ns=(5, 1700000000123456789)); print(os.stat('sent').st_mtime_ns)
with tempfile.TemporaryFile(dir='.') as t: t.write(b'x'); print(t.tell())
try: os.setxattr('sent', 'user.mine', b'value'); print(os.getxattr('sent', 'user.mine'), os.listxattr('sent'))
except OSError as e: print(errno.errorcode[e.errno])
print(subprocess.run('echo $PPID | wc -l; exit 4', shell=True, cwd='full').returncode)
signal.signal(signal.SIGALRM, lambda *_: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.2); signal.pause()
EOF
