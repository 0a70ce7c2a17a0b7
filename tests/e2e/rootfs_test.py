"""Functions on root file systems of their own: what they see, what they do not, and how the roots come and go."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import attacks_test
import functions
import roots
from harness import OGNI, PYTHON, Refusals, Service, can_isolate, wait_until

# Answers with what the questions print, but for quotes and backslashes.
ASK = functions.bash_handler('eval "$(echo "$EVENT" | tr -d \'"\')" 2>&1 | tr "\\n" "|" | tr -d "\\042\\134" | { echo -n \\"; cat; echo \\"; }')

# A custom runtime in C: for each event it answers with the first line of /etc/os-release and of /proc/self/maps' loader.
C_RUNTIME = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static char buffer[65536];
static void exchange(const char *request) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9001)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  size_t size = 0;
  ssize_t count;
  if (connect(s, (struct sockaddr *)&address, sizeof address) != 0) exit(3);
  if (write(s, request, strlen(request)) < 0) exit(4);
  while (size < sizeof buffer - 1 && (count = read(s, buffer + size, sizeof buffer - 1 - size)) > 0) size += count;
  buffer[size] = 0;
  close(s);
}
int main(void) {
  static char request[4096], line[512], loader[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) {
    char *name = strstr(line, "/lib/ld-");
    if (name) { name[strcspn(name, "\n")] = 0; strcpy(loader, name); }
  }
  FILE *release = fopen("/etc/os-release", "r");
  if (!release || !fgets(line, sizeof line, release)) exit(5);
  line[strcspn(line, "\n\"")] = 0;
  for (;;) {
    exchange("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    char *id = strcasestr(buffer, "\nLambda-Runtime-Aws-Request-Id:");
    if (!id) exit(6);
    id += 31;
    while (*id == ' ') ++id;
    id[strcspn(id, "\r\n")] = 0;
    char body[1200];
    snprintf(body, sizeof body, "{\"release\":\"%s\",\"loader\":\"%s\",\"host\":%d}", line, loader, access("/usr/bin/env", F_OK) == 0);
    snprintf(request, sizeof request, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
             "Connection: close\r\nContent-Length: %zu\r\n\r\n%s", id, strlen(body), body);
    exchange(request);
  }
}
"""


class RootTest(Refusals, unittest.TestCase):
    def setUp(self):
        reason = can_isolate()
        if reason:
            self.skipTest("namespace isolation: " + reason)
        place = tempfile.TemporaryDirectory(prefix="r-")
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)
        self.place.chmod(0o755)

    def service(self, *flags):
        service = Service("--isolation", "namespace", *flags)
        self.addCleanup(service.close)
        return service

    def shell_root(self, name="shell"):
        return roots.make_root(self.place / name, *roots.SHELL_PROGRAMS)

    def ask(self, service, name, question):
        answer = service.invoke(name, json.dumps(question).encode(), tail=True)
        self.assertIsNone(answer.error, (answer.body, answer.log))
        return answer.json.rstrip("|").split("|")

    def deploy_on(self, service, name, root, zipped=ASK, **settings):
        return service.deploy(name, zipped, Tags={"ogni:rootfs": root}, **{"Timeout": 20, **settings})


class Sight(RootTest):
    def test_function_sees_the_root_and_what_every_environment_has(self):
        root = self.shell_root()
        (root / "etc/passwd").write_text("somebody:x:1:1::/:/bin/false\n")
        (root / "etc/resolv.conf").symlink_to("/run/systemd/resolve/stub-resolv.conf")
        (root / "srv").mkdir()
        (root / "srv/setuid").write_text("x")
        (root / "srv/setuid").chmod(0o6755)
        service = self.service().start()
        roots.import_root(service, "test", root)
        self.deploy_on(service, "on", "test", MemorySize=256)
        service.deploy("off", ASK, Timeout=20)
        self.assertIn("PRETTY_NAME=Test Root 7", self.ask(service, "on", "cat /etc/os-release"))
        programs = set(self.ask(service, "on", "ls /usr/bin"))
        self.assertEqual(programs, set(roots.SHELL_PROGRAMS))
        self.assertEqual(self.ask(service, "on", "ls /"), sorted([
            "bin", "dev", "etc", "lib", "lib64", "opt", "proc", "run", "srv", "tmp", "usr", "var"]))
        self.assertEqual(self.ask(service, "on", "ls /var /var/task"),
                         ["/var:", "lang", "runtime", "task", "tmp", "", "/var/task:", "bootstrap"])
        self.assertEqual(self.ask(service, "on", "ls /dev"), [
            "fd", "full", "null", "random", "stderr", "stdin", "stdout", "tty", "urandom", "zero"])
        for question in ("cat /etc/passwd /etc/hosts /etc/hostname /etc/resolv.conf /etc/nsswitch.conf", "id", "pwd",
                         "cat /proc/sys/user/max_user_namespaces", "ls /opt /tmp", "ls -A /var/runtime"):
            self.assertEqual(self.ask(service, "on", question), self.ask(service, "off", question), question)
        self.assertEqual(self.ask(service, "on", "echo hi > /tmp/x && cat /tmp/x; echo x > /dev/null && echo null"),
                         ["hi", "null"])
        self.assertEqual(self.ask(service, "on", "ls -l /srv/setuid | cut -c1-10"), ["-rwxr-xr-x"])
        self.assertEqual(service.stop(), 0)

    def test_nothing_of_the_root_can_be_written(self):
        service = self.service().start()
        roots.import_root(service, "test", self.shell_root())
        self.deploy_on(service, "on", "test")
        said = self.ask(service, "on", "for d in / /usr /usr/bin /etc /var /opt /run /dev /srv /lib /var/task /etc/passwd/..;"
                                       " do : > $d/x && echo wrote $d; done; : >> /usr/bin/ls && echo wrote ls;"
                                       " mkdir /new && echo made; echo end")
        self.assertEqual(said[-1], "end")
        self.assertEqual([line for line in said if line.startswith(("wrote", "made"))], [])
        self.assertTrue(any("Read-only file system" in line for line in said), said)

    def test_mounts_say_nothing_of_where_the_root_is(self):
        service = self.service().start()
        roots.import_root(service, "secretname", self.shell_root())
        self.deploy_on(service, "on", "secretname")
        said = "\n".join(self.ask(service, "on", "cat /proc/self/mountinfo"))
        for word in (str(service.data), service.data.name, "secretname", "rootfs", str(self.place)):
            self.assertNotIn(word, said)
        self.assertRegex(said, r" / / ro,[^\n]*nosuid[^\n]*nodev|/ ro,nosuid,nodev")

    def test_layers_are_in_opt_and_cover_what_the_root_has_there(self):
        root = self.shell_root()
        (root / "opt").mkdir()
        (root / "opt/of-the-root").write_text("x")
        service = self.service().start()
        roots.import_root(service, "test", root)
        layer = service.client.publish_layer_version(
            LayerName="layer", Content={"ZipFile": functions.zip_of({"of-the-layer": "y"})})["LayerVersionArn"]
        self.deploy_on(service, "with", "test", Layers=[layer])
        self.deploy_on(service, "without", "test")
        self.assertEqual(self.ask(service, "with", "ls /opt"), ["of-the-layer"])
        self.assertEqual(self.ask(service, "without", "ls /opt"), ["of-the-root"])

    def test_static_program_needs_nothing_of_its_root(self):
        service = self.service().start()
        done = roots.import_root(service, "empty", "-", stdin=roots.tar_of({"etc/": None}))
        self.assertIn(b"imported empty", done.stdout)
        self.deploy_on(service, "static", "empty", functions.hello_cpp())
        self.assertEqual(service.invoke("static", b"1").json, 1)

    def test_root_with_another_c_library(self):
        loader = next(iter(Path("/lib").glob("ld-musl-*.so.1")), None)
        if not shutil.which("musl-gcc") or loader is None:
            self.skipTest("no musl-gcc")
        (self.place / "runtime.c").write_text(C_RUNTIME)
        subprocess.run(["musl-gcc", "-D_GNU_SOURCE", "-O1", str(self.place / "runtime.c"), "-o",
                        str(self.place / "bootstrap")], check=True, timeout=60)
        root = self.place / "musl"
        (root / "etc").mkdir(parents=True)
        (root / "etc/os-release").write_text("ID=musl\n")
        (root / "lib").mkdir()
        shutil.copyfile(os.path.realpath(loader), root / "lib" / loader.name)
        (root / "lib" / loader.name).chmod(0o755)
        service = self.service().start()
        roots.import_root(service, "musl", root)
        self.deploy_on(service, "c", "musl", functions.zip_of(
            {"bootstrap": functions.program((self.place / "bootstrap").read_bytes())}))
        said = service.invoke("c", tail=True)
        self.assertIsNone(said.error, (said.body, said.log))
        self.assertEqual(said.json, {"release": "ID=musl", "loader": f"/lib/{loader.name}", "host": 0})

    def test_root_that_puts_links_and_files_where_mounts_go(self):
        """Else the launcher, or what it mounts, could be led elsewhere."""
        hostile = {"etc": ("link", "/"), "var": ("link", "/proc"), "dev": ("link", "../../../../dev"),
                   "tmp": ("link", "/usr"), "proc": "a file", "opt": ("link", "opt"), "run": "a file"}
        service = self.service().start()
        roots.import_root(service, "hostile", "-", stdin=roots.tar_of(hostile))
        self.deploy_on(service, "static", "hostile", functions.hello_cpp())
        self.assertEqual(service.invoke("static", b"1").json, 1)
        self.assertEqual(service.stop(), 0)


class Images(RootTest):
    def test_image_of_two_layers(self):
        first = roots.tar_of_tree(self.shell_root())
        second = roots.tar_of({"etc/os-release": 'PRETTY_NAME="Second Layer"\n', "usr/bin/.wh.wc": "",
                               "bin/of-the-second": "x", "srv/file": "x"})
        layout = roots.write_layout(self.place / "layout", [first, second])
        service = self.service().start()
        done = roots.import_root(service, "image", layout, "--output", "json")
        self.assertEqual(json.loads(done.stdout)["System"], "Second Layer")
        self.deploy_on(service, "on", "image")
        self.assertEqual(self.ask(service, "on", "ls /usr/bin"),
                         sorted({*roots.SHELL_PROGRAMS, "of-the-second"} - {"wc"}))
        archive = self.place / "layout.tar"
        subprocess.run(["tar", "-C", str(layout), "-cf", str(archive), "."], check=True, timeout=60)
        roots.import_root(service, "same", archive)
        listed = json.loads(roots.rootfs(service, "list", "--output", "json").stdout)["RootFileSystems"]
        self.assertEqual({info["Digest"] for info in listed}, {json.loads(done.stdout)["Digest"]})

    def test_layout_that_cannot_be_read_is_no_directory_of_two_files(self):
        """umoci makes layouts that only their owner may read."""
        layout = roots.write_layout(self.place / "layout", [roots.tar_of({"f": "x"})])
        service = self.service()
        for path in (next((layout / "blobs/sha256").iterdir()), layout / "index.json"):
            for blob in path.parent.iterdir():
                if blob.is_file():
                    blob.chmod(0)
            done = roots.import_root(service, "closed", layout, check=False)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("chmod -R a+rX", done.stderr)
        self.assertEqual(json.loads(roots.rootfs(service, "list", "--output", "json").stdout)["RootFileSystems"], [])

    def test_hostile_archives_are_refused_and_leave_nothing(self):
        victim = self.place / "victim"
        victim.write_text("as it was")
        service = self.service()
        up = "../" * 30 + str(victim).lstrip("/")
        for name, entries in {"dots": {up: "evil"}, "absolute": {str(victim): "evil"},
                              "way": {"way": ("link", str(self.place)), "way/victim/x": "evil"}}.items():
            done = roots.import_root(service, name, "-", stdin=roots.tar_of(entries), check=False)
            self.assertEqual(done.returncode, 2, (name, done.stderr))
            self.assertEqual(victim.read_text(), "as it was")
        self.assertEqual([p.name for p in (service.data / "rootfs").iterdir()], [])
        done = roots.import_root(service, "large", "-", "--max-size", "1", stdin=roots.tar_of({"f": "x" * (2 << 20)}),
                                 check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--max-size", done.stderr)
        layout = roots.write_layout(self.place / "layout", [roots.tar_of({"f": "x"})])
        for blob in (layout / "blobs/sha256").iterdir():
            blob.write_bytes(blob.read_bytes() + b" ")
        done = roots.import_root(service, "lie", layout, check=False)
        self.assertIn("not those of its digest", done.stderr)
        self.assertEqual([p.name for p in (service.data / "rootfs").iterdir()], [])


class Names(RootTest):
    def test_unknown_roots_are_refused_when_deployed_and_when_invoked(self):
        service = self.service().start()
        create = dict(FunctionName="f", Runtime="provided.al2023", Handler="x", Role="arn:aws:iam::000000000000:role/r",
                      Code={"ZipFile": ASK})
        for name in ("nothing", "/", "/etc", "../x"):
            said = self.refused("InvalidParameterValueException", 400, service.client.create_function, **create,
                                Tags={"ogni:rootfs": name})
            self.assertIn("ogni rootfs import", said)
        roots.import_root(service, "test", self.shell_root())
        arn = self.deploy_on(service, "f", "test")["FunctionArn"]
        self.refused("InvalidParameterValueException", 400, service.client.tag_resource, Resource=arn,
                     Tags={"ogni:rootfs": "nothing"})
        self.assertEqual(self.ask(service, "f", "echo 1"), ["1"])
        self.assertEqual(roots.rootfs(service, "remove", "test").returncode, 0)
        service.client.update_function_configuration(FunctionName="f", Description="another environment")
        service.wait_active("f")
        said = self.refused("InvalidRuntimeException", 502, service.client.invoke, FunctionName="f")
        self.assertIn("The root file system 'test'", said)
        roots.import_root(service, "test", self.place / "shell")
        self.assertEqual(self.ask(service, "f", "echo 2"), ["2"], "without a restart of the service")
        service.client.tag_resource(Resource=arn, Tags={"ogni:rootfs": "host"})
        self.assertIn("awk", self.ask(service, "f", "ls /usr/bin"))

    def test_removed_root_stays_for_those_who_run_on_it(self):
        service = self.service("--idle-timeout", "600").start()
        roots.import_root(service, "test", self.shell_root())
        self.deploy_on(service, "f", "test")
        self.assertEqual(self.ask(service, "f", "echo 1"), ["1"])
        done = roots.rootfs(service, "remove", "test")
        self.assertIn("when the environments", done.stdout)
        self.assertEqual(self.ask(service, "f", "cat /usr/lib/os-release | wc -l"), ["3"], "the files are there still")
        self.assertEqual(json.loads(roots.rootfs(service, "list", "--output", "json").stdout)["RootFileSystems"], [])
        service.client.delete_function(FunctionName="f")

        def is_gone():
            roots.import_root(service, "other", "-", "--replace", stdin=roots.tar_of({"f": "x"}))  # sweeps
            return [p.name for p in (service.data / "rootfs").iterdir()] == ["other"]
        wait_until(is_gone, "the files are removed")

    def test_replaced_root_is_that_of_the_next_environments(self):
        service = self.service().start()
        root = self.shell_root()
        roots.import_root(service, "test", root)
        self.deploy_on(service, "f", "test")
        self.assertEqual(self.ask(service, "f", "cat /etc/version || echo none")[-1], "none")
        (root / "etc/version").write_text("2\n")
        done = roots.import_root(service, "test", root, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--replace", done.stderr)
        roots.import_root(service, "test", root, "--replace")
        self.assertEqual(self.ask(service, "f", "cat /etc/version || echo none")[-1], "none", "the one that lives")
        service.client.update_function_configuration(FunctionName="f", Description="another environment")
        service.wait_active("f")
        self.assertEqual(self.ask(service, "f", "cat /etc/version || echo none"), ["2"])

    def test_root_of_all_functions_is_a_setting(self):
        service = self.service("--rootfs", "test")
        roots.import_root(service, "test", self.shell_root())
        service.start()
        service.deploy("usual", ASK, Timeout=20)
        self.deploy_on(service, "other", "host")
        self.assertNotIn("awk", self.ask(service, "usual", "ls /usr/bin"))
        self.assertIn("awk", self.ask(service, "other", "ls /usr/bin"))
        doctor = subprocess.run([str(OGNI), "doctor", "--data", str(service.data)], capture_output=True, text=True,
                                timeout=90)
        self.assertIn("test (Test Root 7)", doctor.stdout)
        self.assertEqual(service.stop(), 0)

    def test_root_of_all_functions_may_be_a_directory(self):
        root = self.shell_root()
        service = Service("--isolation", "namespace", environment={"OGNI_ROOTFS": str(root)})
        self.addCleanup(service.close)
        service.start()
        service.deploy("f", ASK, Timeout=20)
        self.assertEqual(set(self.ask(service, "f", "ls /usr/bin")), set(roots.SHELL_PROGRAMS))
        self.assertEqual(service.stop(), 0)
        self.assertEqual(sorted(p.name for p in root.iterdir()), ["bin", "etc", "lib", "lib64", "usr"], "untouched")

    def cannot_start(self, *flags):
        data = self.place / "data"
        done = subprocess.run([str(OGNI), "serve", "--listen", "127.0.0.1:0", "--data", str(data), *flags],
                              capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_service_does_not_start_on_a_root_it_cannot_give(self):
        self.assertIn("no root file system is called nothing", self.cannot_start("--rootfs", "nothing"))
        self.assertIn("--isolation namespace", self.cannot_start("--rootfs", "nothing", "--isolation", "process"))
        self.assertIn("keeps for itself", self.cannot_start("--rootfs", "/"))
        self.assertIn("keeps for itself", self.cannot_start("--rootfs", str(self.place)))
        self.assertIn("No such file", self.cannot_start("--rootfs", "/no/such/directory"))
        self.assertIn("absolute path", self.cannot_start("--rootfs", "relative/path"))

    def test_processes_of_the_host_have_the_hosts_files(self):
        service = Service("--isolation", "process")
        self.addCleanup(service.close)
        roots.import_root(service, "test", "-", stdin=roots.tar_of({"f": "x"}))
        service.start()
        said = self.refused("InvalidParameterValueException", 400, service.client.create_function, FunctionName="f",
                            Runtime="provided.al2023", Handler="x", Role="arn:aws:iam::000000000000:role/r",
                            Code={"ZipFile": ASK}, Tags={"ogni:rootfs": "test"})
        self.assertIn("needs namespaces", said)

    def test_deploy_sets_the_tag(self):
        service = self.service().start()
        roots.import_root(service, "test", self.shell_root())
        folder = self.place / "deployed"
        folder.mkdir()
        (folder / "bootstrap").write_text(functions.PRELUDE + "while next; do respond 7; done\n")
        (folder / "bootstrap").chmod(0o755)
        service.ogni("deploy", str(folder), "--rootfs", "test")
        self.assertEqual(service.client.get_function(FunctionName="deployed")["Tags"], {"ogni:rootfs": "test"})
        self.assertEqual(service.invoke("deployed").json, 7)


class Interpreters(RootTest):
    def test_managed_runtime_takes_the_interpreter_of_its_root(self):
        service = self.service().start()
        roots.import_root(service, "shell", self.shell_root())
        python = roots.make_root(self.place / "python", "env")
        roots.add_python(python)
        # As AWS's images have it: no interpreter in /usr/bin.
        (python / "var/lang/bin").mkdir(parents=True)
        (python / "usr/bin" / PYTHON).rename(python / "var/lang/bin" / PYTHON)
        roots.import_root(service, "python", python)
        code = functions.python_handler(
            "import os, sys\n"
            "def handler(event, context):\n"
            "    return [sys.executable, os.listdir('/usr/bin'), os.path.realpath('/proc/self/exe')]\n")
        said = self.refused("InvalidParameterValueException", 400, service.client.create_function, FunctionName="f",
                            Runtime=PYTHON, Handler="app.handler", Role="arn:aws:iam::000000000000:role/r",
                            Code={"ZipFile": code}, Tags={"ogni:rootfs": "shell"})
        self.assertIn(f"has no {PYTHON}", said)
        arn = self.deploy_on(service, "f", "python", code, runtime=PYTHON, handler="app.handler",
                             Environment={"Variables": {"PYTHONHOME": "/usr"}})["FunctionArn"]
        answer = service.invoke("f", tail=True)
        self.assertIsNone(answer.error, (answer.body, answer.log))
        self.assertEqual(answer.json[1:], [["env"], f"/var/lang/bin/{PYTHON}"])
        service.client.tag_resource(Resource=arn, Tags={"ogni:rootfs": "shell"})
        said = self.refused("InvalidRuntimeException", 502, service.client.invoke, FunctionName="f")
        self.assertIn(f"has no {PYTHON}", said)


class Attacks:
    """The same attacks as on the host's files, on a root that is a directory."""

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        place = tempfile.TemporaryDirectory(prefix="r-")
        cls.addClassCleanup(place.cleanup)
        os.chmod(place.name, 0o755)
        root = roots.make_root(Path(place.name) / "root", *roots.SHELL_PROGRAMS)
        roots.add_python(root)
        cls.flags = ("--isolation", "namespace", "--rootfs", str(root))
        super().setUpClass()


class FilesOnARoot(Attacks, attacks_test.Files):
    pass


class ProcessesOnARoot(Attacks, attacks_test.Processes):
    pass


class KernelOnARoot(Attacks, attacks_test.Kernel):
    pass


class NetworkOnARoot(Attacks, attacks_test.Network):
    pass
