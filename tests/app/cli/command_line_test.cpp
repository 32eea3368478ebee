// SPDX-License-Identifier: GPL-3.0-or-later
/// What is said of a command line before anything runs: in this process, where a start of the program takes a second.
#include "app/cli/command_line.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "app/cli/terminal/printed_json.h"
#include "app/cli/terminal/screen_text.h"
#include "app/cli/words/command_words.h"
#include "app/cli/words/help_text.h"
#include "app/cli/words/nearest_word.h"

namespace natscope {
namespace {

/// The error of these words, with the hint that the program prints.
Error error_of(std::vector<std::string> words) {
  CommandLine line;
  const auto parsed = line.parse(std::move(words));
  REQUIRE_FALSE(parsed);
  return line.with_own_hint(parsed.error());
}

std::string help_of(std::vector<std::string> words) {
  CommandLine line;
  words.emplace_back("--help");
  const auto help = line.parse(std::move(words));
  REQUIRE(help);
  return help->value_or("");
}

TEST_CASE("numbers that are too large are said as they were typed, and none is made smaller") {
  struct Case {
    std::vector<std::string> words;
    ErrorCode code;
    std::string message;
  };
  const std::vector<std::string> map{"export", "--kind", "mask", "--out", "x.npy", "--prompt", "a"};
  const std::vector<Case> table{
      {{"--layer", "99999999999"}, ErrorCode::bad_layer, "--layer: no model has a layer 99999999999"},
      {{"--head", "2147483647"}, ErrorCode::bad_head, "--head: no model has a head 2147483647"},
      {{"--queries", "0:99999999999"}, ErrorCode::bad_position, "--queries: no text has a position 99999999999"},
      {{"--keys", "99999999999999999999:"},
       ErrorCode::bad_position,
       "--keys: no text has a position 99999999999999999999"},
      {{"--force", "0.99999999999.0=G"}, ErrorCode::bad_head, "--force: no model has a head 99999999999"},
      {{"--force", "*.*.99999999999=G"}, ErrorCode::bad_position, "--force: no text has a position 99999999999"},
      {{"--policy", "longformer:4,0,99999999999"},
       ErrorCode::bad_position,
       "--policy: no text has a position 99999999999"},
      {{"--layer", "x"}, ErrorCode::usage, "--layer takes a whole number from 0 to 2147483647, not \"x\""},
      {{"--top-k", "99999999999"}, ErrorCode::usage, "--top-k cannot be 99999999999"},
      {{"--clip", "nan"}, ErrorCode::usage, "--clip takes a number from 0.001 to 100, not \"nan\""},
      {{"--width", "2mm"}, ErrorCode::usage, "--width takes 20mm to 2000mm (or so many cm, in or pt), not \"2mm\""},
      {{"--width", "nanmm"}, ErrorCode::usage, "--width takes 20mm to 2000mm (or so many cm, in or pt), not \"nanmm\""},
      {{"--seed", "18446744073709551616"},
       ErrorCode::usage,
       "--seed takes a whole number from 0 to 18446744073709551615, not \"18446744073709551616\""},
  };
  for (const Case& one : table) {
    std::vector<std::string> words = map;
    words.insert(words.end(), one.words.begin(), one.words.end());
    const Error error = error_of(words);
    CHECK(error.message == one.message);
    CHECK(error.code == one.code);
  }
  std::vector<std::string> words = map;
  for (const char* const word : {"--layer", "2147483646", "--queries", "0:2147483646", "--force", "*.1.08=G"})
    words.emplace_back(word);
  CommandLine line;
  CHECK(line.parse(words));
}

TEST_CASE("an unknown flag is named before what is missing, with the one that was meant") {
  struct Case {
    std::vector<std::string> words;
    std::string line;
  };
  const std::vector<Case> table{
      {{"eval", "--txt", "a.txt"},
       "natscope-cli eval has no flag \"--txt\"; did you mean --text? see natscope-cli eval --help"},
      {{"export", "--kid=mask"},
       "natscope-cli export has no flag \"--kid\"; did you mean --kind? see natscope-cli export --help"},
      {{"generate", "--max", "3"},
       "natscope-cli generate has no flag \"--max\"; did you mean --max-new-tokens? see natscope-cli generate --help"},
      {{"jobs", "show", "--wow"}, "natscope-cli jobs show has no flag \"--wow\"; see natscope-cli jobs show --help"},
      {{"genrate", "--prompt", "a"}, "there is no command \"genrate\"; did you mean generate? see natscope-cli --help"},
      {{"jobs", "stat", "a"},
       "natscope-cli jobs has no command \"stat\"; did you mean start? see natscope-cli jobs --help"},
      {{"trace", "--prompt", "a"}, "--out is missing; see natscope-cli trace --help"},
      {{"convert", "--model", "a", "--out", "b"}, "FILE is missing; see natscope-cli convert --help"},
      {{}, "no command is named; see natscope-cli --help"},
  };
  for (const Case& one : table) CHECK(format_error_line(error_of(one.words)) == "error: usage: " + one.line);
}

TEST_CASE("the parser's complaints are sentences that name what was given") {
  struct Case {
    std::vector<std::string> more;  // behind generate --prompt a
    std::string message;
  };
  const std::vector<Case> table{
      {{"more"}, "natscope-cli generate cannot do anything with \"more\""},
      {{"--nonsense=5"}, "natscope-cli generate has no flag \"--nonsense\""},
      {{"--threads", "5000"}, "--threads takes a whole number from 0 to 1024, not \"5000\""},
      {{"--threads", "many"}, "--threads takes a whole number from 0 to 1024, not \"many\""},
      {{"--device", "abacus"}, "--device takes auto, cpu or cuda, not \"abacus\""},
      {{"--temperature", "hot"}, "--temperature takes a number, not \"hot\""},
      {{"--top-k", "1.5"}, "--top-k takes a whole number, not \"1.5\""},
      {{"--tokens", "1"}, "--prompt and --tokens exclude each other"},
      {{"--threads"}, "--threads needs a value"},
      {{"--threads", "1", "--threads", "2"}, "--threads is given more than once"},
      {{"--json=5"}, "--json is a switch and takes no value"},
      {{"--greedy=5"}, "--greedy is a switch and takes no value"},
      {{"--chunk", "0x10"}, "--chunk: \"0x10\" is no decimal number"},
  };
  for (const Case& one : table) {
    std::vector<std::string> words{"generate", "--prompt", "a"};
    words.insert(words.end(), one.more.begin(), one.more.end());
    const Error error = error_of(words);
    CHECK(error.message == one.message);
    CHECK(error.code == ErrorCode::usage);
    CHECK(error.hint == "see natscope-cli generate --help");
  }
  CHECK(error_of({"--json", "info"}).message == "a command comes first, not \"--json\"");
}

TEST_CASE("a slip of the pen, and what is none") {
  const std::vector<std::string> known{"--text", "--tokens-max", "--threads", "--seed", "--segment"};
  CHECK(nearest_word("--txet", known) == "--text");
  CHECK(nearest_word("--thread", known) == "--threads");
  CHECK(nearest_word("-tokens", known) == "--tokens-max");
  CHECK(nearest_word("--se", known) == std::nullopt);  // of two
  CHECK(nearest_word("--window", known) == std::nullopt);
  CHECK(nearest_word("--", known) == std::nullopt);
  CHECK(nearest_word("--text", {}) == std::nullopt);
  CHECK(nearest_word(std::string(100000, 'a'), known) == std::nullopt);
}

TEST_CASE("wrong usage that names no help is told whose") {
  CommandLine line;
  CHECK(line.parse({"kernel", "visibility"}));
  CHECK(line.with_own_hint(make_error(ErrorCode::usage, "x")).hint == "see natscope-cli kernel --help");
  CHECK(line.with_own_hint(make_error(ErrorCode::usage, "x", "write y")).hint == "write y");
  const Error other = make_error(ErrorCode::bad_text, "x");
  CHECK(line.with_own_hint(other).hint == other.hint);
}

TEST_CASE("a flag that commands share and one cannot follow is refused with the reason") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"jobs", "list", "--seed", "1"},
        {"jobs", "show", "a", "--device", "cpu"},
        {"convert", "a.pth", "--model", "m", "--out", "o", "--threads", "2"},
        {"reproduce", "finetune", "--model", "m", "--data", "d", "--test", "t", "--out", "o", "--seed", "1"},
        {"reproduce", "scratch", "--out", "o", "--device", "cuda"}}) {
    const Error error = error_of(words);
    CHECK(error.code == ErrorCode::usage);
    CHECK_MESSAGE(error.message.find(" is not taken here: ") != std::string::npos, error.message);
  }
}

TEST_CASE("a result's text that is no Unicode is spelt as messages spell it, and others stay") {
  const nlohmann::json value{{"out", "caf\xE9.npy"}, {"list", {"\xE2\x82", "é\n"}}, {"n", 1}};
  const auto read = nlohmann::json::parse(printed_json(value));
  CHECK(read["out"] == "caf\\xE9.npy");
  CHECK(read["list"][0] == "\\xE2\\x82");
  CHECK(read["list"][1] == "é\n");
  CHECK(printed_json(value).ends_with("}\n"));
}

TEST_CASE("lines are broken between words, at columns and not at bytes") {
  CHECK(wrapped("one two three", 9, 2, 0) == "one two\n  three");
  CHECK(wrapped("one two three", 9, 2, 6) == "one\n  two\n  three");
  CHECK(wrapped("λλλ λλλ", 7, 0, 0) == "λλλ λλλ");
  CHECK(wrapped("a\nb c", 9, 1, 0) == "a\n b c");
  CHECK(wrapped("longer-than-a-line b", 4, 1, 0) == "longer-than-a-line\n b");
  CHECK(wrapped("", 9, 2, 0).empty());
}

TEST_CASE("a flag's terms stand in one style, and what its description says is not said again") {
  const std::string help = help_of({"generate"});
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(help, "Usage: natscope-cli generate [OPTION]...\n"));
  CHECK(has(help, "  --threads N             CPU threads; 0: one a core [0 to 1024; default: 0]\n"));
  CHECK(has(help,
            "  --prompt TEXT           Text to begin with [not with --prompt-file or\n"
            "                          --tokens]\n"));
  CHECK(has(help, "  --device NAME           Where to compute [auto, cpu or cuda; default: auto]\n"));
  CHECK(has(help, "[0 or more; default: 200]"));
  CHECK(has(help_of({"export"}), "  --queries A:B           "));
  CHECK(has(help, "[repeatable]"));
  CHECK(has(help, "  -h, --help "));
  CHECK_FALSE(has(help, "Exit codes"));
  const std::string train = help_of({"train"});
  CHECK(has(train, "needed without --job,"));
  CHECK(has(train, "[with --detach"));
  CHECK(has(train, "\nModel:\n"));
  CHECK(has(help_of({}), "Exit codes: 0 done"));
  CHECK(has(help_of({"jobs"}), "Usage: natscope-cli jobs [OPTION]... [COMMAND]\n"));
  CHECK(has(help_of({"jobs", "duplicate"}), "Usage: natscope-cli jobs duplicate [OPTION]... JOB NEW\n"));
}

TEST_CASE("every page of the help fits the screen and keeps to one style") {
  CommandLine line;
  const auto all = command_words(line.app());
  const std::set<std::string> types{"INT", "UINT", "FLOAT", "BOOLEAN"};
  const std::regex by_hand(R"(\(repeatable|\(default|default:|REQUIRED|Excludes|Needs|“|”)");
  for (const CommandWords& command : all) {
    CAPTURE(command.program());
    for (const int columns : {80, 120}) {
      std::string text = help_text(command, all, columns);
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        REQUIRE(end != std::string::npos);
        CHECK_MESSAGE(screen_columns(text.substr(at, end - at)) <= columns, text.substr(at, end - at));
        at = end + 1;
      }
    }
    std::vector<FlagWords> flags = command.flags;
    flags.insert(flags.end(), command.positionals.begin(), command.positionals.end());
    for (const FlagWords& flag : flags) {
      CAPTURE(flag.description);
      CHECK_FALSE(flag.description.empty());
      CHECK_FALSE(flag.description.ends_with("."));
      CHECK_FALSE(std::regex_search(flag.description, by_hand));
      CHECK_FALSE(types.contains(flag.value));
    }
  }
  CommandLine whole;
  const auto help = whole.parse({"--help-all"});
  REQUIRE(help);
  for (const CommandWords& command : all)
    CHECK((*help)->find("Usage: " + command.program() + " ") != std::string::npos);
}

}  // namespace
}  // namespace natscope
