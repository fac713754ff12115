// SPDX-License-Identifier: MIT

// A program without libc: many goroutines write files, read them back and hash them.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"sync"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func files() {
	check(os.MkdirAll("go/deep", 0o755))
	var all sync.WaitGroup
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			name := fmt.Sprintf("go/deep/%02d", i)
			check(os.WriteFile(name, make([]byte, i*1000), 0o600))
			data, err := os.ReadFile(name)
			check(err)
			check(os.WriteFile(name+".sum", []byte(fmt.Sprintf("%x", sha256.Sum256(data))), 0o644))
		}(i)
	}
	all.Wait()
	var names []string
	check(filepath.Walk("go", func(path string, info os.FileInfo, err error) error {
		names = append(names, fmt.Sprintf("%s %v %v", path, info.Mode(), info.IsDir()))
		return err
	}))
	sort.Strings(names)
	for _, name := range names {
		fmt.Println(name)
	}
}

func echo() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	c, err := net.Dial("tcp", listener.Addr().String())
	check(err)
	fmt.Fprint(c, "through a socket")
	c.(*net.TCPConn).CloseWrite()
	data, err := io.ReadAll(c)
	check(err)
	fmt.Println(string(data))
	listener.Close()
}

func main() {
	files()
	echo()
	out, err := exec.Command("/bin/cat", "go/deep/19.sum").Output()
	check(err)
	fmt.Println(string(out))
	_, err = os.Open("nowhere")
	fmt.Println(err)
}
