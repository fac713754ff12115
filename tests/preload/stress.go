// SPDX-License-Identifier: MIT
// Goroutines, signals, garbage collection, children, sockets and a recovered fault, all in one static program.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var total int64

func files(i int) {
	name := fmt.Sprintf("f%d", i)
	for k := 0; k < 40; k++ {
		os.WriteFile(name, make([]byte, 1<<16), 0644)
		data, _ := os.ReadFile(name)
		atomic.AddInt64(&total, int64(len(data)))
		if k%10 == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			runtime.GC()
		}
	}
}

func main() {
	runtime.GOMAXPROCS(4)
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGSYS)
	var group sync.WaitGroup
	for i := 0; i < 16; i++ {
		group.Add(2)
		go func(i int) { defer group.Done(); files(i) }(i)
		go func() {
			defer group.Done()
			out, _ := exec.Command("/bin/sh", "-c", "echo a | cat").Output()
			atomic.AddInt64(&total, int64(len(out)))
		}()
	}
	group.Wait()
	time.Sleep(10 * time.Millisecond)
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	got := 0
	for i := 0; i < 50; i++ {
		if answer, err := http.Get("http://" + listener.Addr().String()); err == nil {
			body, _ := io.ReadAll(answer.Body)
			got += len(body)
			answer.Body.Close()
		}
	}
	fmt.Println(total, got, len(signals) > 0, len(os.Args))
	func() {
		defer func() { fmt.Println(recover() != nil) }()
		var nothing *int
		*nothing = 1
	}()
	os.Exit(5)
}
