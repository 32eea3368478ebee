// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/ask_flag.h"

#include <algorithm>

namespace natscope {

const char* name(QuestionPlace place) { return place == QuestionPlace::within ? "within" : "behind"; }

void AskFlag::add_to(CLI::App& command, const std::string& what, bool several) {
  const std::string words =
      "What SnapKV and its like know when they drop: within, the question is the end of their prompt; behind, " + what +
      " alone is the prompt, and the question comes behind it";
  CLI::Option* const option = command.add_option("--ask", texts, several ? words + ". Both: one after another" : words)
                                  ->check(CLI::IsMember({name(QuestionPlace::within), name(QuestionPlace::behind)}))
                                  ->type_name("NAME")
                                  ->allow_extra_args(false)
                                  ->default_str(name(QuestionPlace::within));
  if (!several) option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

std::vector<QuestionPlace> AskFlag::places() const {
  std::vector<QuestionPlace> all;
  for (const std::string& text : texts) {
    const QuestionPlace place = text == name(QuestionPlace::behind) ? QuestionPlace::behind : QuestionPlace::within;
    if (std::ranges::find(all, place) == all.end()) all.push_back(place);
  }
  if (all.empty()) all.push_back(QuestionPlace::within);
  return all;
}

}  // namespace natscope
