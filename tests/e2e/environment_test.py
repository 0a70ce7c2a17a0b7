"""What a function sees: variables, directories, user, limits, and what it must not see."""

import base64
import os
import re
import stat
import unittest

import functions
from harness import BIN, PYTHON, ServiceTest, can_isolate


class EnvironmentTest(ServiceTest):
    def ask(self, name, script, **settings):
        """Deploys a function of one bash script and returns what it prints."""
        self.service.deploy(name, functions.bash_handler(
            "{ " + script + "\n} 2>&1 | base64 -w 0 | sed 's/.*/\"&\"/'"), **{"Timeout": 20, **settings})
        answer = self.service.invoke(name)
        self.assertIsNone(answer.error, answer.body)
        return base64.b64decode(answer.json).decode()

    def variables(self, name, **settings):
        self.service.deploy(name, functions.bash_runtime(
            'base64 -w 0 /proc/self/environ > "$TMP/seen"\nnext\nrespond "\\"$(cat "$TMP/seen")\\""\nnext\n'),
            **{"handler": "some.handler", **settings})
        text = base64.b64decode(self.service.invoke(name).json).decode()
        return dict(line.split("=", 1) for line in text.split("\0") if line)


class Namespace(EnvironmentTest):
    flags = ("--isolation", "namespace")

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        super().setUpClass()

    def test_variables_are_those_of_aws_and_no_other(self):
        seen = self.variables("variables", MemorySize=256,
                              Environment={"Variables": {"MINE": "ünï = \"x\"", "TZ": "Europe/Rome"}})
        fixed = {
            "_HANDLER": "some.handler", "LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "variables",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/variables",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "LANG": "en_US.UTF-8", "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "MINE": "ünï = \"x\"", "TZ": "Europe/Rome"}
        self.assertEqual({key: seen.get(key) for key in fixed}, fixed)
        self.assertTrue(seen["LD_LIBRARY_PATH"].endswith("/var/task:/var/task/lib:/opt/lib"), seen["LD_LIBRARY_PATH"])
        self.assertRegex(seen["AWS_LAMBDA_LOG_STREAM_NAME"], r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        for absent in ("AWS_EXECUTION_ENV", "_X_AMZN_TRACE_ID", "AWS_LAMBDA_LOG_FORMAT", "HOME", "USER", "OGNI_BIN"):
            self.assertNotIn(absent, seen)
        allowed = set(fixed) | {
            "LD_LIBRARY_PATH", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN", "AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT",
            "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN",
            "PWD", "SHLVL", "_", "OLDPWD"}  # the last four are bash's own
        self.assertEqual(set(seen) - allowed, set())
        self.assertEqual(self.variables("utc")["TZ"], ":UTC")

    def test_function_runs_in_its_task_as_nobody_special(self):
        lines = self.ask("who", "pwd; id -u; id -g; id -un; umask; cat /proc/self/status").splitlines()
        self.assertEqual(lines[0], "/var/task")
        self.assertNotEqual((lines[1], lines[2]), ("0", "0"))
        self.assertEqual(lines[3], "sbx_user1051")
        status = dict(re.findall(r"^(\w+):\s*(\S+)", "\n".join(lines), re.M))
        self.assertEqual([status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
                         ["0" * 16] * 5)
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_only_tmp_can_be_written(self):
        said = self.ask("write", "for d in / /var/task /opt /usr /bin /etc /var /var/runtime /dev /proc /lib; do "
                                 "touch $d/x 2>/dev/null && echo wrote $d; done; "
                                 "touch /tmp/x && echo wrote /tmp; stat -c %a /tmp; mkdir /tmp/d && rmdir /tmp/d")
        self.assertEqual(said.splitlines(), ["wrote /tmp", "1777"])

    def test_sh_is_bash_and_dash_is_still_dash(self):
        said = self.ask("shells", "/bin/sh -c 'echo ${BASH_VERSION:+bash}'; /usr/bin/sh -c 'echo "
                                  "${BASH_VERSION:+bash}'; [ -x /bin/dash ] && dash -c 'echo ${BASH_VERSION:-none}'; "
                                  "[ -x /bin/dash ] && /usr/bin/dash -c 'echo ${BASH_VERSION:-none}'")
        self.assertEqual(said.split(), ["bash", "bash", "none", "none"])

    def test_nothing_of_the_host_shows(self):
        said = self.ask("host", "ls /; echo --; find /home /root /srv /mnt /media /run /var/lib -mindepth 1 2>/dev/null; echo --; "
                                "hostname; echo --; cat /etc/passwd; echo --; ls /etc; echo --; "
                                "cat /etc/shadow /etc/ssh/* 2>/dev/null; echo --; ls /proc | grep -c '^[0-9]'")
        root, homes, host, users, etc, secrets, processes = said.split("--\n")
        self.assertNotIn("home", root.split())
        self.assertEqual(homes, "")
        self.assertNotEqual(host.strip(), os.uname().nodename)
        self.assertNotIn("/home/", users.replace("/home/sbx_user1051", ""))
        for name in ("shadow", "ssh", "sudoers", "machine-id", "cron.d", "apt"):
            self.assertNotIn(name, etc.split())
        self.assertEqual(secrets, "")
        self.assertLess(int(processes), 12)  # its own, and the init

    def test_network_is_loopback_only(self):
        said = self.ask("network", "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '; "
                                   "timeout 3 bash -c '</dev/tcp/192.0.2.1/80' 2>/dev/null && echo reached; "
                                   f"timeout 3 bash -c '</dev/tcp/127.0.0.1/{self.service.port}' 2>/dev/null "
                                   "&& echo service; getent hosts localhost | head -1")
        lines = said.split()
        self.assertEqual(lines[0], "lo")
        self.assertNotIn("reached", lines)
        self.assertNotIn("service", lines)

    def test_kernels_doors_are_shut(self):
        said = self.ask("doors", "ls /dev; echo --; unshare -U true 2>/dev/null && echo user-namespace; "
                                 "mount -t tmpfs x /tmp 2>/dev/null && echo mounted; dmesg >/dev/null 2>&1 && echo dmesg; "
                                 "cat /proc/1/environ 2>/dev/null | wc -c; echo $(ls /proc/1/fd 2>/dev/null | wc -l); "
                                 "cat /proc/self/oom_score_adj; su root -c id 2>/dev/null; true")
        devices, rest = said.split("--\n")
        self.assertLessEqual(set(devices.split()),
                             {"null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr",
                              "ptmx", "pts", "shm"})
        lines = rest.split()
        self.assertEqual(lines[-3:], ["0", "0", "1000"])
        self.assertNotIn("mounted", lines)
        self.assertNotIn("dmesg", lines)

    def test_limits_are_those_of_aws(self):
        said = self.ask("limits", "for l in n Hn u Hu s Hs l Hl v t f; do ulimit -$l; done; "
                                  "ls -d /dev/shm /sys 2>/dev/null; true")
        self.assertEqual(said.split(), ["1024", "1024", "742", "742", "8192", "unlimited", "64", "64",
                                        "unlimited", "unlimited", "unlimited"])

    def test_no_path_of_the_service_is_told(self):
        said = self.ask("paths", "cat /proc/self/mountinfo /proc/mounts /proc/self/maps /proc/self/cgroup "
                                 "/proc/cmdline /proc/keys; ls -l /proc/self/fd; env")
        for path in (str(self.service.data), str(BIN), "/code/"):
            self.assertNotIn(path, said)
        self.assertIn(" /var/task ", said)

    def test_log_of_a_perl_function_has_nothing_that_it_did_not_say(self):
        if not os.path.exists("/usr/bin/perl"):
            self.skipTest("needs perl")
        self.service.deploy("perl", functions.bash_handler("perl -e 'print length(\"abc\")'"), Timeout=20)
        answer = self.service.invoke("perl", tail=True)
        self.assertEqual(answer.json, 3)
        self.assertEqual([line for line in answer.log.splitlines() if not line.startswith(("START", "END", "REPORT", "INIT"))
                          and line.strip()], [])

    def test_environments_cannot_see_each_other(self):
        self.service.deploy("mine", functions.bash_runtime(
            'echo secret > /tmp/secret-of-mine\nwhile next; do respond 1; done\n'))
        self.assertEqual(self.service.invoke("mine").json, 1)
        said = self.ask("other", "ls /tmp; grep -l mine /proc/[0-9]*/environ 2>/dev/null; true")
        self.assertNotIn("secret", said)
        self.assertNotIn("/proc", said)

    def test_modes_links_and_times_of_the_zip_are_kept(self):
        zipped = functions.zip_of({
            "bootstrap": functions.program(functions.PRELUDE + 'next\ncd /var/task\nrespond "\\"$(stat -c "%n %a %F" '
                                           'link plain run | tr "\\n" ",") $(readlink link) '
                                           '$(TZ=UTC date -r plain +%Y-%m-%d)\\""\nnext\n'),
            "plain": ("x", 0o640), "run": ("x", 0o4755), "link": ("plain", stat.S_IFLNK | 0o777)})
        self.service.deploy("modes", zipped)
        said = self.service.invoke("modes").json
        self.assertIn("link 777 symbolic link", said)
        self.assertIn("run 755 regular file", said)
        self.assertIn("plain 640 regular file", said)
        self.assertTrue(said.endswith(" plain 2024-01-02"), said)

    def test_tmp_is_as_large_as_asked(self):
        said = self.ask("storage", "df -k --output=avail /tmp | tail -1; head -c 600M /dev/zero > /tmp/big "
                                   "2>/dev/null || echo full; rm -f /tmp/big",
                        EphemeralStorage={"Size": 512}, MemorySize=1024)
        available, full = said.split()
        self.assertTrue((512 << 10) - 64 <= int(available) <= (512 << 10) + 64, available)
        self.assertEqual(full, "full")

    def test_tmp_is_not_counted_as_memory(self):
        if os.getuid() != 0:
            self.skipTest("only root can mount disks")
        said = self.ask("disk", "head -c 400M /dev/zero > /tmp/big && stat -c %s /tmp/big; stat -f -c %T /tmp",
                        MemorySize=128)
        if "tmpfs" in said:
            self.skipTest("this host has no disks for /tmp")
        self.assertEqual(said.split(), [str(400 << 20), "ext2/ext3"])
        report = self.service.invoke("disk", tail=True).log
        self.assertLess(int(re.search(r"Max Memory Used: (\d+) MB", report).group(1)), 129)

    def test_handler_is_never_a_command(self):
        handler = "$(touch${IFS}/tmp/owned);`touch\t/tmp/owned`|&'\"".replace("\t", "${IFS}")
        self.service.deploy("meta", functions.bash_runtime(
            'next\nrespond "\\"$(printf %s "$_HANDLER" | base64 -w 0) $(ls /tmp | grep -c owned)\\""\nnext\n'),
            handler=handler)
        said, owned = self.service.invoke("meta").json.split()
        self.assertEqual((base64.b64decode(said).decode(), owned), (handler, "0"))
        for runtime, name in (("provided.al2023", "meta-bash"), (PYTHON, "meta-python")):
            zipped = functions.hello_bash() if runtime != PYTHON else functions.hello_python()
            self.service.deploy(name, zipped, runtime=runtime, handler="x;id>&2;.handler")
            answer = self.service.invoke(name, tail=True)
            self.assertEqual(answer.error, "Unhandled")
            self.assertNotIn("uid=", answer.log)


class Process(EnvironmentTest):
    """The weakest strength: no walls, but the same contract as far as a bare process can have it."""

    flags = ("--isolation", "process")

    def test_variables_lead_to_where_things_are(self):
        seen = self.variables("variables")
        self.assertRegex(seen["AWS_LAMBDA_RUNTIME_API"], r"^127\.0\.0\.1:\d+$")
        self.assertEqual(seen["_HANDLER"], "some.handler")
        self.assertTrue(os.path.isabs(seen["LAMBDA_TASK_ROOT"]))
        self.assertNotIn("OGNI_BIN", seen)
        self.assertNotIn("HOME", seen)

    def test_sh_bootstrap_is_run_by_bash(self):
        self.service.deploy("sh", functions.zip_of({"bootstrap": functions.program(functions.PRELUDE.replace(
            "#!/bin/bash", "#!/bin/sh") + 'next\nrespond "\\"${BASH_VERSION:+bash} $0\\""\nnext\n')}))
        said = self.service.invoke("sh").json
        self.assertTrue(said.startswith("bash "), said)

    def test_working_directory_is_the_task_and_root_is_not_the_user(self):
        said = self.ask("cwd", 'pwd; echo "$LAMBDA_TASK_ROOT"; ls bootstrap; id -u').splitlines()
        self.assertEqual((os.path.realpath(said[0]), said[2]), (os.path.realpath(said[1]), "bootstrap"))
        if os.getuid() == 0:
            self.assertNotEqual(said[3], "0")
        else:
            self.assertEqual(said[3], str(os.getuid()))
