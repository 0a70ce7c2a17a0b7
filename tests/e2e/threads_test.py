"""Runtimes that start many threads and processes do so behind the filter of system calls, the wall around files and
the limits: Python, Node.js, the JVM and Go."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import BIN, PYTHON as PYTHON_RUNTIME, ServiceTest

PYTHON = """
import concurrent.futures, subprocess, threading

def handler(event, context):
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        together = threading.Barrier(64)
        met = list(pool.map(lambda number: together.wait(20), range(64)))
    child = subprocess.run(['/bin/sh', '-c', 'echo child'], capture_output=True, text=True)
    return {'barrier': sum(met), 'child': child.stdout.strip()}
"""

NODE = """
const { Worker } = require('worker_threads');
const { execFileSync } = require('child_process');
const { promises: fs } = require('fs');
const { pbkdf2Sync, pbkdf2 } = require('crypto');
const { promisify } = require('util');
const square = "const { parentPort, workerData } = require('worker_threads'); parentPort.postMessage(workerData ** 2);";
exports.handler = async () => {
  const squares = await Promise.all([1, 2, 3, 4].map((n) => new Promise((resolve, reject) =>
    new Worker(square, { eval: true, workerData: n }).on('message', resolve).on('error', reject))));
  const keys = await Promise.all(Array.from({ length: 16 }, (_, n) => promisify(pbkdf2)('x', String(n), 10, 8, 'sha256')));
  await fs.writeFile('/tmp/file', 'x');
  return { squares, pool: new Set(keys.map(String)).size, child: execFileSync('/bin/echo', ['child']).toString().trim() };
};
"""

JAVA = """
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
public class Threads {
  public static Map<String, Object> handleRequest(Map<String, Object> event) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(64);
    CyclicBarrier together = new CyclicBarrier(64);
    List<Future<Integer>> met = new ArrayList<>();
    for (int i = 0; i < 64; ++i) met.add(pool.submit(() -> together.await(20, TimeUnit.SECONDS)));
    int sum = 0;
    for (Future<Integer> future : met) sum += future.get();
    pool.shutdown();
    int parallel = IntStream.rangeClosed(1, 1000).parallel().sum();
    Process child = new ProcessBuilder("/bin/echo", "child").start();
    String said = new String(child.getInputStream().readAllBytes()).trim();
    return Map.of("barrier", sum, "parallel", parallel, "child", said);
  }
}
"""

GO = """package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
)

func main() {
	var inside, done sync.WaitGroup
	inside.Add(64)
	done.Add(64)
	for i := 0; i < 64; i++ {
		go func() {
			runtime.LockOSThread()
			inside.Done()
			inside.Wait()
			done.Done()
		}()
	}
	done.Wait()
	runtime.GC()
	said, err := exec.Command("/bin/echo", "child").Output()
	if err != nil {
		panic(err)
	}
	fmt.Printf(`{"threads":64,"child":"%s"}`, said[:5])
}
"""


class Threads(ServiceTest):
    def call(self, name, event=None):
        answer = self.service.invoke(name, event or {})
        self.assertIsNone(answer.error, answer.body)
        return answer.json

    def build(self, file, text, command):
        folder = Path(tempfile.mkdtemp(prefix="threads-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", str(folder)])
        (folder / file).write_text(text)
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300,
                               env={**os.environ, "HOME": str(folder), "GOCACHE": str(folder / "cache"), "CGO_ENABLED": "0"})
        self.assertEqual(built.returncode, 0, built.stderr)
        return folder

    def test_python_starts_threads_and_programs(self):
        zipped = functions.zip_of({"app.py": PYTHON})
        self.service.deploy("python", zipped, runtime=PYTHON_RUNTIME, handler="app.handler", Timeout=60)
        self.assertEqual(self.call("python"), {"barrier": 63 * 64 // 2, "child": "child"})

    def test_node_starts_workers_its_pool_and_programs(self):
        if not os.path.exists("/usr/bin/node"):
            self.skipTest("no node")
        zipped = functions.zip_of({"index.js": NODE})
        self.service.deploy("node", zipped, runtime="nodejs20.x", handler="index.handler", Timeout=60, MemorySize=512)
        self.assertEqual(self.call("node"), {"squares": [1, 4, 9, 16], "pool": 16, "child": "child"})

    def test_the_jvm_starts_threads_and_programs(self):
        if not os.path.exists("/usr/bin/java") or not shutil.which("javac"):
            self.skipTest("no java")
        folder = self.build("Threads.java", JAVA, ["javac", "--release", "17", "Threads.java"])
        files = {path.name: path.read_bytes() for path in folder.glob("*.class")}
        self.service.deploy("java", functions.zip_of(files), runtime="java17", handler="Threads", Timeout=60, MemorySize=512)
        self.assertEqual(self.call("java"), {"barrier": 63 * 64 // 2, "parallel": 500500, "child": "child"})

    def test_go_starts_threads_and_programs(self):
        if not shutil.which("go"):
            self.skipTest("no go")
        folder = self.build("main.go", GO, ["go", "build", "-o", "program", "main.go"])
        files = {"bootstrap": functions.program(BIN.joinpath("bootstrap").read_bytes()),
                 "program": functions.program((folder / "program").read_bytes()),
                 "ogni.toml": 'way = "exec"\n'}
        self.service.deploy("go", functions.zip_of(files), handler="program", Timeout=60, MemorySize=512)
        self.assertEqual(self.call("go"), {"threads": 64, "child": "child"})


if __name__ == "__main__":
    unittest.main()
