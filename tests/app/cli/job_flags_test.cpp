// SPDX-License-Identifier: GPL-3.0-or-later
/// The table of a job's fields against the flags that the commands really have.
#include <doctest/doctest.h>

#include <regex>
#include <set>

#include "core/jobs/job_fields.h"
#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

/// Flags that no field of a form is, each for a reason.
const std::set<std::string> left_out{
    "--help",     "--json", "--job",      "--out",    "--resume",  // a form's job lies in the store of jobs
    "--detach",   "--name", "--no-start", "--runner", "--sbatch",  // how it is started: the form's own lines
    "--forecast",                                                  // the form asks for it
    "--device",                                                    // the form has a line of its own for every kind
};

std::set<std::string> flags_in(const std::string& help) {
  std::set<std::string> flags;
  const std::regex flag("(?:^|\\n)  (?:-[a-z], )?(--[a-z0-9-]+)");
  for (std::sregex_iterator at(help.begin(), help.end(), flag), end; at != end; ++at) flags.insert((*at)[1]);
  return flags;
}

}  // namespace

TEST_CASE("a form of a training job has a field for every flag of its command, and no other") {
  for (const jobs::JobKind kind : {jobs::JobKind::train, jobs::JobKind::finetune}) {
    CAPTURE(jobs::name(kind));
    std::set<std::string> flags = flags_in(cli({jobs::name(kind), "--help"}).out);
    REQUIRE(flags.contains("--data"));
    for (const std::string& flag : left_out) flags.erase(flag);
    for (const jobs::JobField& field : jobs::job_fields(kind)) {
      CAPTURE(field.flag);
      CHECK(flags.erase(field.flag) == 1);
    }
    for (const std::string& flag : flags) FAIL_CHECK(flag << " is no field and is not left out");
  }
}

}  // namespace natscope::test
