// SPDX-License-Identifier: GPL-3.0-or-later
// Training on a GPU needs a LibTorch with CUDA, which has to be there before anything takes a gradient: LibTorch counts
// devices once.
#include <string>

#include "core/train/roles/gpu_attention.h"
#include "tests/support/gpu_main.h"

const char* natscope::test::what_is_missing() {
  static std::string words;
  const auto opened = train::open_gpu_attention();
  if (opened || opened.error().code != ErrorCode::device_unavailable) return nullptr;
  words = opened.error().message;
  return words.c_str();
}
