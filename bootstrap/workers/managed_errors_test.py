"""Handlers are found, and errors are named, told and logged, as AWS's own runtimes do it."""

import json
import re
import tempfile
import unittest
from pathlib import Path

from workers_test import HandlerCase


class Case(HandlerCase):
    runtime = None  # as AWS_EXECUTION_ENV names it

    def managed(self, source, handler="app.handler", **variables):
        return self.start(source, handler=handler, variables={
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.runtime}", "OGNI_LANGUAGE": self.language, **variables})

    def assert_error(self, own, answer, kind, error_type, message):
        """`message` is the text, or matches it. Returns the whole error."""
        self.assertEqual(answer.kind, kind, f"{answer}\n{own.log()}")
        report = json.loads(answer.body)
        self.assertEqual(report["errorType"], error_type, report)
        if isinstance(message, str):
            self.assertEqual(report["errorMessage"], message, report)
        else:
            self.assertRegex(report["errorMessage"], message)
        return report

    def fails_at_init(self, source, error_type, message, handler="app.handler"):
        with self.subTest(handler=handler, source=source[:60]):
            own = self.managed(source, handler)
            answer = own.api.await_poll()
            self.assertIsNotNone(answer, own.log())
            return self.assert_error(own, answer, "init-error", error_type, message), own.log()

    def fails(self, own, event, error_type, message):
        with self.subTest(event=event):
            return self.assert_error(own, own.invoke(event), "error", error_type, message)

    def layer(self, files):
        folder = tempfile.TemporaryDirectory(prefix="ogni-layer-")
        self.addCleanup(folder.cleanup)
        for name, text in files.items():
            path = Path(folder.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder.name


class Node(Case):
    language = "node"
    runtime = "nodejs20.x"

    def test_a_handler_may_lie_in_a_layer(self):
        layer = self.layer({"wrap/index.js": "exports.handler = async () => 'by name';",
                            "wrap/sub/in.js": "exports.deep = { handler: async () => 'by path' };",
                            "wrap/new.mjs": "export const handler = async () => 'module';",
                            "wrap/old.cjs": "exports.handler = async () => 'common';"})
        for handler, expected in (("wrap.handler", "by name"), (f"{layer}/wrap/sub/in.deep.handler", "by path"),
                                  (f"{layer}/wrap/new.handler", "module"), (f"{layer}/wrap/old.handler", "common")):
            with self.subTest(handler):
                self.assertEqual(self.managed("exports.no = 1;", handler, NODE_PATH=layer).text("x"), expected)

    def test_a_handler_may_lie_in_a_folder(self):
        for files, handler in (({"sub/in.js": "exports.h = async () => 1;"}, "sub/in.h"),
                               ({"in.mjs": "export const h = async () => 1;"}, "./in.h"),
                               ({"in.mjs": "export const h = async () => 2;", "in.js": "exports.h = async () => 1;"}, "in.h"),
                               ({"package.json": '{"type": "module"}', "in.js": "export const h = async () => 1;"}, "in.h"),
                               ({"in/index.js": "exports.h = async () => 1;"}, "in.h"),
                               ({"in": "exports.h = async () => 1;"}, "in.h")):
            with self.subTest(files=files):
                own = self.managed("exports.no = 1;", handler, LAMBDA_TASK_ROOT=self.layer(files))
                self.assertEqual(own.text("x"), "1")

    def test_what_cannot_be_loaded_is_named(self):
        own = "exports.handler = async () => 1; exports.value = 7;"
        missing = "Error: Cannot find module '{}'\nRequire stack:\n- {}"
        for handler, error_type, message in (
                ("nodots", "Runtime.MalformedHandlerName", "Bad handler"),
                ("../app.handler", "Runtime.MalformedHandlerName", "'../app.handler' is not a valid handler name. Use "
                 "absolute paths when specifying root directories in handler names."),
                ("sub/nofile.handler", "Runtime.ImportModuleError", missing.format("nofile", "/var/runtime/index.mjs")),
                ("app.nope", "Runtime.HandlerNotFound", "app.nope is undefined or not exported"),
                ("app.", "Runtime.HandlerNotFound", "app. is undefined or not exported"),
                ("app.value", "Runtime.HandlerNotFound", "app.value is not a function"),
                ("app.value.deep", "Runtime.HandlerNotFound", "app.value.deep is undefined or not exported")):
            self.fails_at_init(own, error_type, message, handler)
        self.fails_at_init("require('dep');", "Runtime.ImportModuleError",
                           re.compile(r"^Error: Cannot find module 'dep'\nRequire stack:\n- .*/app.js\n- /var/runtime/index.mjs$"))
        report, log = self.fails_at_init("exports.handler = {", "Runtime.UserCodeSyntaxError", re.compile("^SyntaxError: "))
        self.assertTrue(report["trace"][0].startswith("Runtime.UserCodeSyntaxError: SyntaxError: "), report)
        self.assertIn('undefined\tERROR\tUncaught Exception \t{"errorType":"Runtime.UserCodeSyntaxError"', log)
        self.fails_at_init("throw new TypeError('at import');", "TypeError", "at import")
        self.fails_at_init("throw 'a text';", "string", "a text")
        self.fails_at_init("Promise.reject(new Error('boom')); setTimeout(() => {}, 60000); for (;;) break; "
                           "module.exports = { get handler() { return undefined; } };",
                           "Runtime.HandlerNotFound", "app.handler is undefined or not exported")

    def test_what_a_handler_throws_is_told_as_it_is(self):
        own = self.managed("""
            class Custom extends Error { constructor(text) { super(text); this.name = 'Custom'; this.code = 'E_CUSTOM'; this.more = { a: 1 }; } }
            const circular = {}; circular.self = circular;
            const events = {
              custom: () => { throw new Custom('it failed'); },
              text: () => { throw 'a text'; },
              number: () => { throw 7; },
              object: () => { throw { a: 1 }; },
              like: () => { throw { name: 'Like', message: 'like an error', stack: 'Like: like an error\\n    at here' }; },
              undefined: () => { throw undefined; },
              null: () => { throw null; },
              bare: () => { throw Object.create(null); },
              circular: () => circular,
              big: () => ({ big: 1n }),
              timer: () => new Promise(() => setTimeout(() => { throw new RangeError('in a timer'); }, 1)),
              rejected: () => new Promise(() => { Promise.reject(new Custom('nobody waits')); }),
              rejectedText: () => new Promise(() => { Promise.reject('nobody waits'); }),
              never: () => new Promise(() => {}),
              deep: () => { const deeper = () => deeper() + 1; return deeper(); },
              nothing: () => {},
            };
            exports.handler = async (event) => events[event]();""")
        report = self.fails(own, "custom", "Custom", "it failed")
        self.assertEqual(list(report), ["errorType", "errorMessage", "trace"])
        self.assertRegex(report["trace"][0], "^(Error|Custom): it failed$")
        self.assertIn("app.js", report["trace"][1])
        self.assertRegex(own.log(), r'Z\trequest-1\tERROR\tInvoke Error \t\{"errorType":"Custom","errorMessage":"it failed",'
                                    r'"code":"E_CUSTOM","name":"Custom","more":\{"a":1\},"stack":\["(Error|Custom): it failed",')
        for event, error_type, message in (
                ("text", "string", "a text"), ("number", "number", "7"), ("object", "object", "[object Object]"),
                ("like", "Like", "like an error"), ("undefined", "string", "handled"), ("null", "string", "handled"),
                ("bare", "TypeError", "Cannot convert object to primitive value"), ("circular", "Error", "Unable to stringify response body"),
                ("big", "Error", "Unable to stringify response body"), ("timer", "RangeError", "in a timer"),
                ("rejected", "Runtime.UnhandledPromiseRejection", "Custom: nobody waits"),
                ("rejectedText", "Runtime.UnhandledPromiseRejection", "nobody waits"),
                ("never", "Runtime.NodeJsExit", re.compile("^The Lambda runtime client detected an unexpected Node.js exit code")),
                ("deep", "RangeError", "Maximum call stack size exceeded")):
            self.fails(own, event, error_type, message)
        self.assertIn('Unhandled Promise Rejection \t{"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":'
                      '"Custom: nobody waits","reason":{"errorType":"Custom"', own.log())
        self.assertEqual(own.invoke("nothing").body, b"null")
        self.assert_error(own, own.api.invoke(b"{bad"), "error", "SyntaxError", re.compile("JSON"))
        broken = own.invoke("nothing", {"Lambda-Runtime-Client-Context": "{"})
        self.assert_error(own, broken, "error", "Error", re.compile("^Cannot parse ClientContext as json: SyntaxError: "))

    def test_callbacks_and_plain_functions(self):
        own = self.managed("""
            exports.handler = (event, context, callback) => {
              if (event === 'error') callback(new TypeError('by callback'));
              if (event === 'text') callback('by callback');
              if (event === 'fail') context.fail();
              if (event === 'throw nothing') throw undefined;
              if (event === 'value') setTimeout(() => callback(null, 'later'), 1);
              if (event === 'never') return new Promise(() => {});
            };""")
        self.fails(own, "error", "TypeError", "by callback")
        self.fails(own, "text", "string", "by callback")
        self.fails(own, "fail", "string", "handled")
        for event, expected in (("throw nothing", b"null"), ("value", b'"later"'), ("never", b"null"), ("x", b"null")):
            self.assertEqual(own.invoke(event).body, expected, event)

    def test_an_async_handler_that_calls_back_has_answered(self):
        own = self.managed("exports.handler = async (event, context, callback) => { callback(null, 'called'); return 'returned'; };")
        self.assertEqual(own.text("x"), "called")

    def test_the_default_export_holds_no_handlers(self):
        own = self.managed("exports.no = 1;", "in.h",
                           LAMBDA_TASK_ROOT=self.layer({"in.mjs": "export default { h: async () => 1 };"}))
        self.assert_error(own, own.api.await_poll(), "init-error", "Runtime.HandlerNotFound", "in.h is undefined or not exported")


class Ruby(Case):
    language = "ruby"
    runtime = "ruby3.2"

    def test_a_handler_may_lie_in_a_layer(self):
        layer = self.layer({"wrap.rb": "class Wrap; def self.handler(event:, context:) = 'by name'; end\n",
                            "sub/in.rb": "module A; class B; def self.h(event:, context:) = 'by path'; end; end\n"})
        for handler, expected in (("wrap.Wrap.handler", "by name"), (f"{layer}/sub/in.A::B.h", "by path"),
                                  ("sub/in.A::B.h", "by path")):
            with self.subTest(handler):
                self.assertEqual(self.managed("", handler, RUBYLIB=layer).text("x"), expected)

    def test_what_cannot_be_loaded_is_named(self):
        report, log = self.fails_at_init("", "Init<LoadError>", "cannot load such file -- nofile", "nofile.h")
        self.assertEqual(list(report), ["errorMessage", "errorType", "stackTrace"])
        self.assertIn('Init error when loading handler \n{\n  "errorMessage": "cannot load such file -- nofile",\n', log)
        for handler in ("nodots", "a.b.c.d", "app."):
            self.fails_at_init("", "Init<ArgumentError>", re.compile(r"^Invalid handler \[.*\], must be of form FILENAME.METHOD"), handler)
        self.fails_at_init("def handler(", "Init<SyntaxError>", re.compile("app.rb:1"))
        report, _ = self.fails_at_init("raise 'at import'", "Init<RuntimeError>", "at import")
        self.assertRegex(report["stackTrace"][0], "/app.rb:1:in `<top \\(required\\)>'$")
        self.fails_at_init("exit", "Init<SystemExit>", "exit")

    def test_what_is_raised_in_a_call_is_wrapped(self):
        own = self.managed("""
            class Custom < StandardError; end
            class Base < Exception; end
            def deep(n) = deep(n + 1) + 1
            def handler(event:, context:)
              case event
              when "custom" then raise Custom, "it failed"
              when "base" then raise Base, "it failed"
              when "exit" then exit 3
              when "name" then no_such_name
              when "method" then nil.no_such_method
              when "argument" then Integer("x")
              when "deep" then deep(0)
              when "todo" then raise NotImplementedError
              when "bytes" then "\\x89PNG".b
              when "nan" then Float::NAN
              when "circular" then [].tap { |list| list << list }
              when "closed" then File.open(__FILE__).tap(&:close)
              when "nothing" then nil
              end
            end""")
        report = self.fails(own, "custom", "Function<Custom>", "it failed")
        self.assertRegex(report["stackTrace"][0], "/app.rb:7:in `handler'$")
        self.assertEqual(len(report["stackTrace"]), 1)
        self.assertIn('Error raised from handler method\n{\n  "errorMessage": "it failed",\n  "errorType": "Function<Custom>",\n', own.log())
        for event, error_type, message in (
                ("base", "Function<Base>", "it failed"), ("exit", "Function<SystemExit>", "exit"),
                ("name", "Function<NameError>", re.compile("^undefined local variable or method `no_such_name'[^\n]*$")),
                ("method", "Function<NoMethodError>", re.compile("^undefined method `no_such_method' for nil[^\n]*$")),
                ("argument", "Function<ArgumentError>", 'invalid value for Integer(): "x"'),
                ("deep", "Function<SystemStackError>", "stack level too deep"),
                ("todo", "Function<NotImplementedError>", "NotImplementedError"),
                ("bytes", re.compile("Function<(JSON::GeneratorError|Encoding::UndefinedConversionError)>"), re.compile(".")),
                ("nan", "Function<JSON::GeneratorError>", re.compile("NaN not allowed in JSON")),
                ("circular", "Function<JSON::NestingError>", re.compile("nesting of 10[01] is too deep")),
                ("closed", "Runtime<IOError>", "closed stream")):
            if isinstance(error_type, str):
                self.fails(own, event, error_type, message)
            else:
                self.assertRegex(json.loads(own.invoke(event).body)["errorType"], error_type)
        self.assertIn("Critical exception from handler\n{\n", own.log())
        self.assertEqual(own.invoke("nothing").body, b"null")
        answer = own.api.invoke(b"{bad")
        self.assert_error(own, answer, "error", "Runtime.ExitError", re.compile("exit status 252"))
        self.assertIn('"errorType": "Init<JSON::ParserError>"', own.log())

    def test_a_missing_method_is_told_at_the_call(self):
        for handler, error_type, message in (("app.nope", "Function<NoMethodError>", "undefined method `nope' for"),
                                             ("app.No::Such.h", "Function<NameError>", "uninitialized constant ")):
            own = self.managed("def handler(event:, context:) = 1", handler)
            self.fails(own, "x", error_type, re.compile("^" + re.escape(message)))

    def test_a_fork_that_exits_keeps_its_status(self):
        own = self.managed("def handler(event:, context:)\n  pid = fork\n  exit 3 unless pid\n  Process.wait(pid)\n  $?.exitstatus\nend")
        self.assertEqual(own.text("x"), "3")
        self.assertNotIn("exception", own.log())


class Python(Case):
    language = "python"
    runtime = "python3.11"

    def test_what_cannot_be_loaded_is_named(self):
        for source, handler, error_type, message in (
                ("", "nodots", "Runtime.MalformedHandlerName", "Bad handler 'nodots': not enough values to unpack (expected 2, got 1)"),
                ("", "sub/nofile.h", "Runtime.ImportModuleError", "Unable to import module 'sub/nofile': No module named 'sub'"),
                ("import nothing_here", "app.h", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'nothing_here'"),
                ("def h(:\n", "app.h", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': invalid syntax (app.py, line 1)"),
                ("", "app.h", "Runtime.HandlerNotFound", "Handler 'h' missing on module 'app'"),
                ("", "sys.h", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"),
                ("raise ValueError('at import')", "app.h", "ValueError", "at import")):
            report, _ = self.fails_at_init(source, error_type, message, handler)
            self.assertEqual((list(report), report["requestId"]), (["errorMessage", "errorType", "requestId", "stackTrace"], ""))

    def test_errors_are_told_and_logged(self):
        own = self.managed("""
import sys
class Custom(Exception): pass
def handler(event, context):
    if event == "custom": raise Custom("it failed")
    if event == "silent": raise Custom
    if event == "deep": return handler(event, context)
    if event == "set": return {1}
    if event == "circular":
        items = []
        items.append(items)
        return items
    if event == "exit": sys.exit(3)
    if event == "memory": raise MemoryError
""")
        report = self.fails(own, "custom", "Custom", "it failed")
        self.assertEqual(len(report["stackTrace"]), 1)
        self.assertRegex(report["stackTrace"][0], r'^  File ".*/app.py", line 5, in handler\n    if event == "custom": raise Custom\("it failed"\)\n$')
        space = "\u00a0"
        self.assertRegex(own.log(), r"\[ERROR\] Custom: it failed\nTraceback \(most recent call last\):\n"
                                    rf'{space}{space}File ".*/app.py", line 5, in handler\n{space * 4}if event == "custom": raise')
        for event, error_type, message in (
                ("silent", "Custom", ""), ("deep", "RecursionError", re.compile("^maximum recursion depth exceeded")),
                ("set", "Runtime.MarshalError", "Unable to marshal response: Object of type set is not JSON serializable"),
                ("circular", "Runtime.MarshalError", "Unable to marshal response: Circular reference detected"),
                ("memory", "MemoryError", ""), ("exit", "Runtime.ExitError", re.compile("exit status 3$"))):
            self.fails(own, event, error_type, message)
        answer = own.api.invoke(b"{bad")
        self.assert_error(own, answer, "error", "Runtime.UnmarshalError",
                          re.compile("^Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2"))


class Java(Case):
    language = "java"
    runtime = "java17"
    SOURCE = """
        import java.util.*;
        public class app {
          static class Custom extends RuntimeException { Custom(String text, Throwable cause) { super(text, cause); } }
          public static Object handler(String event) throws Exception {
            switch (event) {
              case "custom": throw new Custom("it failed", new IllegalStateException("because"));
              case "silent": throw new Exception();
              case "deep": return handler(event);
              case "circular": List<Object> list = new ArrayList<>(); list.add(list); return list;
              case "exit": System.exit(3);
              case "nothing": return null;
              default: return event;
            }
          }
        }"""

    def test_errors_of_a_call(self):
        own = self.managed(self.SOURCE, "app::handler")
        report = self.fails(own, "custom", "app$Custom", "it failed")
        self.assertEqual(list(report), ["errorMessage", "errorType", "stackTrace", "cause"])
        self.assertRegex(report["stackTrace"][0], r"^app\.handler\(app\.java:7\)$")
        self.assertEqual((report["cause"]["errorType"], report["cause"]["errorMessage"]), ("java.lang.IllegalStateException", "because"))
        self.assertRegex(own.log(), r"it failed: app\$Custom\napp\$Custom: it failed\n\tat app.handler\(app.java:7\)\n"
                                    r"Caused by: java.lang.IllegalStateException: because\n")
        self.fails(own, "silent", "java.lang.Exception", "java.lang.Exception")
        self.fails(own, "deep", "java.lang.StackOverflowError", "java.lang.StackOverflowError")
        self.fails(own, "circular", "java.lang.RuntimeException", "An error occurred during JSON serialization of response")
        self.assertEqual(own.invoke("nothing").body, b"null")
        report = self.assert_error(own, own.api.invoke(b'{"a": 1}'), "error", "java.lang.RuntimeException", "An error occurred during JSON parsing")
        self.assertEqual(report["stackTrace"], [])
        self.assertIn("errorMessage", report["cause"])
        self.fails(own, "exit", "Runtime.ExitError", re.compile("exit status 3$"))

    def test_what_is_missing_is_told_at_each_call(self):
        for handler, error_type, message in (
                ("no.Such::h", "java.lang.ClassNotFoundException", "Class not found: no.Such"),
                ("no.Such", "java.lang.ClassNotFoundException", "Class not found: no.Such"),
                ("app::nope", None, "No public method named nope with appropriate method signature found on class app"),
                ("::h", None, "Invalid handler: `::h'")):
            with self.subTest(handler):
                own = self.managed(self.SOURCE, handler)
                for _ in range(2):
                    answer = own.invoke("x")
                    self.assertEqual(answer.kind, "error", own.log())
                    expected = {"errorMessage": message, **({"errorType": error_type} if error_type else {})}
                    self.assertEqual(json.loads(answer.body), expected)
                self.assertIn(message, own.log())

    def test_what_cannot_be_loaded_fails_the_start(self):
        for source, error_type, message in (
                ('public app() { throw new IllegalStateException("no instance"); }', "java.lang.IllegalStateException", "no instance"),
                ('static { if (true) throw new IllegalStateException("at load"); }', "java.lang.ExceptionInInitializerError",
                 "Error loading class app")):
            source = "public class app {\n" + source + "\npublic String h(String event) { return event; } }"
            report, log = self.fails_at_init(source, error_type, message, "app::h")
            self.assertNotIn("stackTrace", report)
            self.assertIn("app.java:2)", log)


if __name__ == "__main__":
    unittest.main()
