"""The managed runtimes beside Python: AWS's handler forms on this host's node, ruby and java."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import PYTHON, ServiceTest


class Managed(ServiceTest):
    def deploy(self, name, runtime, handler, files, **settings):
        self.service.deploy(name, functions.zip_of(files), runtime=runtime, handler=handler, Timeout=60, **settings)

    def need(self, program):
        if not os.path.exists(program):
            self.skipTest(f"no {program}")

    def call(self, name, event):
        answer = self.service.invoke(name, event)
        self.assertIsNone(answer.error, answer.body)
        return answer.json

    def failure(self, name, event):
        answer = self.service.invoke(name, event)
        self.assertEqual(answer.error, "Unhandled", answer.body)
        return answer.json

    def test_node_serves_commonjs_modules_and_callbacks(self):
        self.need("/usr/bin/node")
        self.deploy("node-async", "nodejs20.x", "index.handler", {"index.js": """
            let calls = 0;
            exports.handler = async (event, context) => {
              if (event.fail) throw new TypeError('no ' + event.fail);
              return { hello: event.name, calls: ++calls, function: context.functionName, env: process.env.AWS_EXECUTION_ENV };
            };"""})
        self.assertEqual(self.call("node-async", {"name": "ä"}), {"hello": "ä", "calls": 1, "function": "node-async",
                                                                  "env": "AWS_Lambda_nodejs20.x"})
        self.assertEqual(self.call("node-async", {"name": 2})["calls"], 2)
        error = self.failure("node-async", {"fail": "way"})
        self.assertEqual((error["errorType"], error["errorMessage"]), ("TypeError", "no way"))
        self.assertIn("/var/task/index.js:4", "\n".join(error["trace"]))

        self.deploy("node-callback", "nodejs20.x", "src/app.deep.handler", {"src/app.cjs": """
            exports.deep = { handler: (event, context, callback) => setTimeout(() => callback(null, event.length), 1) };"""})
        self.assertEqual(self.call("node-callback", [1, 2, 3]), 3)

        self.deploy("node-module", "nodejs20.x", "index.handler", {
            "index.mjs": "import { name } from './lib/name.mjs'; export const handler = async () => name;",
            "lib/name.mjs": "export const name = 'module';"})
        self.assertEqual(self.call("node-module", {}), "module")

    def test_ruby_serves_methods_of_the_top_level_and_of_classes(self):
        self.need("/usr/bin/ruby")
        self.deploy("ruby", "ruby3.3", "app.handler", {"app.rb": """
            def handler(event:, context:)
              raise ArgumentError, 'no' if event['fail']
              { hello: event['name'], id: context.aws_request_id.length, function: context.function_name }
            end"""})
        self.assertEqual(self.call("ruby", {"name": "ä"}), {"hello": "ä", "id": 36, "function": "ruby"})
        error = self.failure("ruby", {"fail": 1})
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Function<ArgumentError>", "no"))
        self.deploy("ruby-class", "ruby3.3", "app.Greeter.greet", {"app.rb": """
            class Greeter
              def self.greet(event:, context:) = event.sum
            end"""})
        self.assertEqual(self.call("ruby-class", [1, 2]), 3)

    def test_java_serves_classes_and_binds_events(self):
        self.need("/usr/bin/java")
        if not shutil.which("javac"):
            self.skipTest("no javac")
        source = """package example;
            import java.util.List;
            import java.util.Map;
            public class Hello {
              public interface Context { String getAwsRequestId(); int getRemainingTimeInMillis(); String getFunctionName(); }
              public static class Person { private String name; public void setName(String n) { name = n; } public int age; }
              public record Greeting(String message, int next, List<Integer> list) {}
              public Greeting greet(Person person, Context context) {
                if (person.age < 0) throw new IllegalArgumentException("not born");
                if (context.getRemainingTimeInMillis() <= 0) throw new IllegalStateException("late");
                return new Greeting("Hello, " + person.name + " of " + context.getFunctionName(), person.age + 1, List.of(1, 2));
              }
              public static Map<String, Object> handleRequest(Map<String, Object> event) { return Map.of("size", event.size()); }
            }"""
        directory = Path(tempfile.mkdtemp(prefix="j-"))
        self.addCleanup(shutil.rmtree, directory)
        (directory / "Hello.java").write_text(source)
        subprocess.run(["javac", "--release", "17", "-g", "-d", directory, directory / "Hello.java"], check=True, timeout=120)
        files = {str(path.relative_to(directory)): path.read_bytes() for path in directory.glob("example/*.class")}
        self.deploy("java", "java17", "example.Hello::greet", files, MemorySize=512)
        self.assertEqual(self.call("java", {"name": "ä", "age": 41}),
                         {"message": "Hello, ä of java", "next": 42, "list": [1, 2]})
        error = self.failure("java", {"age": -1})
        self.assertEqual((error["errorType"], error["errorMessage"]),
                         ("java.lang.IllegalArgumentException", "not born"))
        self.assertIn("example.Hello.greet(Hello.java:", error["stackTrace"][0])
        self.deploy("java-default", "java17", "example.Hello", files, MemorySize=512)
        self.assertEqual(self.call("java-default", {"a": 1}), {"size": 1})


# Prints EVENT["n"] times EVENT["c"] between "<" and ">" in one line; exits, sleeps or answers then.
PRINTS = {
    "nodejs20.x": ("/usr/bin/node", "app.js", """
        exports.handler = async ({ c, n, then }) => {
          console.log('<' + c.repeat(n) + '>');
          if (then === 'exit') process.exit(1);
          if (then === 'sleep') for (;;);
          return 1;
        };"""),
    "ruby3.2": ("/usr/bin/ruby", "app.rb", """
        def handler(event:, context:)
          puts "<#{event['c'] * event['n']}>"
          exit!(1) if event['then'] == 'exit'
          sleep if event['then'] == 'sleep'
          1
        end"""),
    PYTHON: ("/usr/bin/env", "app.py", """
import os, time
def handler(event, context):
    print('<' + event['c'] * event['n'] + '>')
    if event.get('then') == 'exit': os._exit(1)
    if event.get('then') == 'sleep': time.sleep(1000)
    return 1
"""),
}
# A bootstrap without any of our workers.
PLAIN_NODE = """#!/usr/bin/env node
const http = require('http');
const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/`;
const ask = (path, method, body) => new Promise((done) => http.request(base + path, { method }, (answer) => {
  let text = '';
  answer.on('data', (data) => (text += data));
  answer.on('end', () => done([answer.headers['lambda-runtime-aws-request-id'], text]));
}).end(body));
(async () => {
  for (;;) {
    const [id, event] = await ask('next', 'GET');
    const { c, n, then } = JSON.parse(event);
    console.log('<' + c.repeat(n) + '>');
    if (then === 'exit') process.exit(1);
    await ask(id + '/response', 'POST', '1');
  }
})();
"""


class WholeLogs(ServiceTest):
    def tail(self, name, c, n, then=None):
        return self.service.invoke(name, {"c": c, "n": n, "then": then}, tail=True).log

    def assert_logs(self, name, n, *ways_to_end):
        """That the end of a long line is in its invocation's log and not in the next one's."""
        for c, then in zip("abcdef", ways_to_end):
            with self.subTest(name=name, then=then):
                self.assertIn(f"{c}>", self.tail(name, c, n, then))
                following = self.tail(name, "z", 10)
                self.assertIn("<zzzzzzzzzz>", following)
                self.assertNotIn(c * 9, following)

    def test_what_a_handler_prints_is_in_its_own_log(self):
        for runtime, (program, file, source) in PRINTS.items():
            if not os.path.exists(program):
                continue
            name = "prints-" + runtime.replace(".", "-")
            self.service.deploy(name, functions.zip_of({file: source}), runtime=runtime, handler="app.handler", Timeout=8,
                                MemorySize=512)
            self.assert_logs(name, 200_000, None, "exit", "sleep")
            self.assert_logs(name, 10_000_000, None)

    def test_what_a_plain_program_of_node_prints_is_in_its_own_log(self):
        if not os.path.exists("/usr/bin/node") or os.geteuid() != 0:
            self.skipTest("no node, or an ordinary user's pipe")
        self.service.deploy("plain", functions.zip_of({"bootstrap": functions.program(PLAIN_NODE)}), Timeout=20, MemorySize=512)
        self.assert_logs("plain", 200_000, None, "exit", None)


class Layers(ServiceTest):
    def test_a_handler_may_lie_in_a_layer(self):
        layer = self.service.client.publish_layer_version(LayerName="wrap", Content={"ZipFile": functions.zip_of({
            "nodejs/node_modules/wrap/index.js": "exports.handler = async () => 'by name';",
            "nodejs/node_modules/wrap/sub/in.js": "exports.handler = async () => 'by path';",
            "ruby/lib/wrap.rb": "class Wrap; def self.handler(event:, context:) = 'by name'; end\n"})})["LayerVersionArn"]
        for program, runtime, handler, expected in (
                ("node", "nodejs20.x", "wrap.handler", "by name"),
                ("node", "nodejs20.x", "/opt/nodejs/node_modules/wrap/sub/in.handler", "by path"),
                ("ruby", "ruby3.2", "wrap.Wrap.handler", "by name")):
            if not os.path.exists("/usr/bin/" + program):
                continue
            with self.subTest(handler=handler):
                self.service.deploy("wrapped", functions.zip_of({"x.txt": "x"}), runtime=runtime, handler=handler, Timeout=30,
                                    Layers=[layer])
                self.assertEqual(self.service.invoke("wrapped", {}).json, expected)
                self.service.client.delete_function(FunctionName="wrapped")


if __name__ == "__main__":
    unittest.main()
