// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/program_folder.h"

#include <doctest/doctest.h>

namespace natscope {

TEST_CASE("the folder of the running program holds it") {
  CHECK(program_folder().is_absolute());
  CHECK(std::filesystem::exists(program_folder() / "core_base_test"));
}

}  // namespace natscope
