"""docs/runtime.md is true: every program on its pages builds on the installed library, and the first ones run."""

import re

from harness import SOURCE
from installed import InstalledTest


class Guide(InstalledTest):
    def test_every_program_of_the_guide_builds(self):
        guide = (SOURCE / "docs" / "runtime.md").read_text()

        def blocks(language):
            return re.findall(rf"^```{language}\n(.*?)^```", guide, re.M | re.S)

        first, migrated = blocks("cmake")
        files, lines = {"first/CMakeLists.txt": first, "migrated/CMakeLists.txt": migrated}, []
        programs = blocks("cpp")
        self.assertGreater(len(programs), 8)
        for number, program in enumerate(programs):
            if number == 0:
                files["first/main.cpp"] = program
            elif "aws/lambda-runtime" in program:
                files["migrated/main.cpp"] = program
            else:
                files[f"cpp/{number}.cpp"] = program
                # Those that run here are linked; for the others it would only take time.
                kind = f"add_executable(p{number} " if "cassert" in program else f"add_library(p{number} OBJECT "
                lines += [f"{kind}{number}.cpp)", f"target_link_libraries(p{number} PRIVATE ogni::events)",
                          f"target_precompile_headers(p{number} REUSE_FROM headers)"]
                if "cassert" in program:
                    lines += [f"add_custom_command(TARGET p{number} POST_BUILD COMMAND p{number})"]
        for number, program in enumerate(blocks("c")):
            files[f"cpp/{number}.c"] = program
            lines += [f"add_executable(c{number} {number}.c)", f"target_link_libraries(c{number} PRIVATE ogni::c)"]
        files["cpp/CMakeLists.txt"] = "\n".join([
            "cmake_minimum_required(VERSION 3.21)", "project(guide C CXX)", "find_package(ogni REQUIRED)",
            "add_compile_options(-Wall -Wextra -Werror -UNDEBUG -O0)",
            # Read once: they are most of the work.
            "add_library(headers OBJECT headers.cpp)", "target_link_libraries(headers PRIVATE ogni::events)",
            "target_precompile_headers(headers PRIVATE <ogni/events.hpp> <ogni/log.hpp> <ogni/runtime.hpp>)", *lines])
        files["cpp/headers.cpp"] = ""
        place = self.project("guide", files)
        self.build(place / "cpp")
        self.build(place / "first")
        self.build(place / "migrated", "aws-lambda-package-migrated")
        for name, event, answer in (("first", b"[1]", {"bytes": 3}), ("migrated", b"[1]", {"length": 3})):
            self.service.deploy(name, (place / name / "out" / f"{name}.zip").read_bytes())
            self.assertEqual(self.service.invoke(name, event).json, answer)
