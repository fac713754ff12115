// SPDX-License-Identifier: MIT
// Random operations on one file, by descriptors and by mappings, against a model in memory: every byte read
// must be the one written last, whatever way either took.    fsx FILE SEED OPERATIONS
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t kMost = 300000;  // bytes of the file
constexpr size_t kPage = 4096;

class Exerciser {
  public:
    Exerciser(const char* path, unsigned seed) : path_(path), random_(seed) { open_files(O_CREAT | O_TRUNC); }
    ~Exerciser() { close_files(); }

    void step(int number) {
        number_ = number;
        static constexpr void (Exerciser::*kOperations[])() = {
            &Exerciser::write,         &Exerciser::write,     &Exerciser::read,
            &Exerciser::read,          &Exerciser::map_write, &Exerciser::map_write,
            &Exerciser::map_read,      &Exerciser::map_read,  &Exerciser::truncate,
            &Exerciser::punch_hole,    &Exerciser::allocate,  &Exerciser::append,
            &Exerciser::copy,          &Exerciser::pieces,    &Exerciser::look_at_map,
            &Exerciser::sync_or_reopen};
        (this->*kOperations[below(std::size(kOperations))])();
        struct stat st {};
        require(fstat(fd_, &st) == 0 && static_cast<size_t>(st.st_size) == model_.size(), "size");
    }
    void compare_all() {
        std::vector<char> all(model_.size() + 1);
        require(pread(fd_, all.data(), all.size(), 0) == static_cast<ssize_t>(model_.size()), "read of all");
        require(std::equal(model_.begin(), model_.end(), all.begin()), "all bytes");
    }

  private:
    void require(bool good, const char* what) {
        if (good) return;
        std::printf("operation %d (%s): wrong %s (errno %d)\n", number_, name_, what, errno);
        std::exit(1);
    }
    size_t below(size_t n) { return n == 0 ? 0 : random_() % n; }
    // Short and long ranges, often at pages' edges.
    size_t place(size_t end) {
        const size_t at = below(end + 1);
        return below(3) == 0 ? at / kPage * kPage : at;
    }
    size_t length(size_t most) { return std::min(most, below(4) == 0 ? below(most + 1) : below(9000)); }
    std::vector<char> bytes(size_t n) {
        std::vector<char> out(n);
        for (char& c : out)
            c = static_cast<char>(random_());
        return out;
    }
    void into_model(size_t at, const std::vector<char>& data) {
        if (at + data.size() > model_.size() && !data.empty()) model_.resize(at + data.size());
        std::copy(data.begin(), data.end(), model_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    void expect(size_t at, const char* data, size_t n) {
        require(std::equal(data, data + n, model_.begin() + static_cast<std::ptrdiff_t>(at)), "bytes");
    }

    void open_files(int flags) {
        fd_ = open(path_, O_RDWR | flags, 0644);
        append_ = open(path_, O_WRONLY | O_APPEND);
        require(fd_ >= 0 && append_ >= 0, "open");
        map_ = static_cast<char*>(mmap(nullptr, kMost, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
        require(map_ != MAP_FAILED, "mmap");
    }
    void close_files() {
        munmap(map_, kMost);
        require(close(fd_) == 0 && close(append_) == 0, "close");
    }

    void write() {
        name_ = "write";
        const size_t at = place(model_.size() + 5000 > kMost - 9000 ? kMost - 9000 : model_.size() + 5000);
        const auto data = bytes(length(kMost - at));
        require(pwrite(fd_, data.data(), data.size(), static_cast<off_t>(at)) ==
                    static_cast<ssize_t>(data.size()),
                "count");
        into_model(at, data);
    }
    void read() {
        name_ = "read";
        const size_t at = place(model_.size());
        std::vector<char> data(length(kMost));
        const size_t there = std::min(data.size(), model_.size() - at);
        require(pread(fd_, data.data(), data.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(there),
                "count");
        expect(at, data.data(), there);
    }
    void map_write() {
        name_ = "map write";
        if (model_.empty()) return;
        const size_t at = place(model_.size() - 1);
        const auto data = bytes(length(model_.size() - at));
        std::copy(data.begin(), data.end(), map_ + at);
        into_model(at, data);
        if (below(4) == 0) require(msync(map_, kMost, MS_SYNC) == 0, "msync");
    }
    // A mapping of its own.
    void map_read() {
        name_ = "map read";
        if (model_.empty()) return;
        const size_t at = place(model_.size() - 1), first = at / kPage * kPage;
        const size_t n = length(model_.size() - at);
        const int flags = below(2) == 0 ? MAP_SHARED : MAP_PRIVATE;
        void* map = mmap(nullptr, at - first + n + 1, PROT_READ, flags, fd_, static_cast<off_t>(first));
        require(map != MAP_FAILED, "mmap");
        expect(at, static_cast<char*>(map) + (at - first), n);
        munmap(map, at - first + n + 1);
    }
    // The one that has been there since the file was opened.
    void look_at_map() {
        name_ = "look at map";
        if (model_.empty()) return;
        const size_t at = place(model_.size() - 1);
        expect(at, map_ + at, length(model_.size() - at));
    }
    void truncate() {
        name_ = "truncate";
        const size_t size = below(3) == 0 ? below(kMost) : place(model_.size());
        require(ftruncate(fd_, static_cast<off_t>(size)) == 0, "ftruncate");
        model_.resize(size);
    }
    void punch_hole() {
        name_ = "punch hole";
        if (model_.empty()) return;
        const size_t at = place(model_.size() - 1), n = 1 + length(20000);
        if (fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at),
                      static_cast<off_t>(n)) < 0)
            return require(errno == EOPNOTSUPP, "fallocate");
        std::fill_n(model_.begin() + static_cast<std::ptrdiff_t>(at), std::min(n, model_.size() - at), 0);
    }
    void allocate() {
        name_ = "allocate";
        const size_t at = place(model_.size()), n = 1 + length(kMost - at - 1);
        require(fallocate(fd_, 0, static_cast<off_t>(at), static_cast<off_t>(n)) == 0, "fallocate");
        model_.resize(std::max(model_.size(), at + n));
    }
    void append() {
        name_ = "append";
        const auto data = bytes(length(kMost - model_.size()));
        const size_t end = model_.size();
        require(::write(append_, data.data(), data.size()) == static_cast<ssize_t>(data.size()), "count");
        into_model(end, data);
        if (!data.empty())
            require(lseek(append_, 0, SEEK_CUR) == static_cast<off_t>(model_.size()), "position");
    }
    void copy() {
        name_ = "copy";
        if (model_.size() < 2) return;
        const size_t half = model_.size() / 2, from = below(half), n = length(half - from);
        off_t in = static_cast<off_t>(from), out = static_cast<off_t>(half + below(model_.size() - half));
        const auto to = static_cast<size_t>(out);
        const ssize_t done = copy_file_range(fd_, &in, fd_, &out, std::min(n, kMost - to), 0);
        require(done >= 0 && static_cast<size_t>(in) == from + static_cast<size_t>(done), "copy_file_range");
        into_model(to, {model_.begin() + static_cast<std::ptrdiff_t>(from),
                        model_.begin() + static_cast<std::ptrdiff_t>(from + static_cast<size_t>(done))});
    }
    void pieces() {
        name_ = "pieces";
        const size_t at = place(std::min(model_.size(), kMost - 20000));
        auto a = bytes(1 + below(5000)), b = bytes(1 + below(9000));
        const iovec iov[2] = {{a.data(), a.size()}, {b.data(), b.size()}};
        const auto count = static_cast<ssize_t>(a.size() + b.size());
        require(pwritev(fd_, iov, 2, static_cast<off_t>(at)) == count, "count");
        into_model(at, a);
        into_model(at + a.size(), b);
        std::fill(a.begin(), a.end(), 0);
        std::fill(b.begin(), b.end(), 0);
        require(lseek(fd_, static_cast<off_t>(at), SEEK_SET) == static_cast<off_t>(at), "lseek");
        require(readv(fd_, iov, 2) == count, "count read");
        expect(at, a.data(), a.size());
        expect(at + a.size(), b.data(), b.size());
    }
    void sync_or_reopen() {
        name_ = "sync or reopen";
        if (below(3) != 0) return require(fsync(fd_) == 0 && fdatasync(append_) == 0, "fsync");
        close_files();
        open_files(0);
        compare_all();
    }

    const char* path_;
    std::mt19937 random_;
    std::vector<char> model_;
    int fd_ = -1, append_ = -1, number_ = 0;
    char* map_ = nullptr;
    const char* name_ = "open";
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: fsx FILE SEED OPERATIONS\n");
        return 2;
    }
    const auto seed = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
    const int count = std::atoi(argv[3]);
    std::printf("seed %u\n", seed);
    Exerciser exerciser(argv[1], seed);
    for (int i = 0; i < count; i++)
        exerciser.step(i);
    exerciser.compare_all();
    std::printf("%d operations\n", count);
    return 0;
}
