// SPDX-License-Identifier: GPL-3.0-or-later
// Chat templates against Jinja: tests/data/chat_templates says what it writes.
#include "core/chat/chat_template.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

const ChatTemplate::SpecialTokens special_tokens{
    {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"pad_token", "<pad>"}, {"unk_token", "<unk>"}};
constexpr std::time_t now = 1764464400;

std::vector<ChatMessage> messages_of(const nlohmann::json& chat) {
  std::vector<ChatMessage> messages;
  for (const auto& message : chat) messages.push_back({message.at("role"), message.at("content")});
  return messages;
}

Expected<std::string> written(const std::string& source, const std::vector<ChatMessage>& messages) {
  NATSCOPE_TRY(const ChatTemplate parsed, ChatTemplate::parse(source, special_tokens));
  return parsed.write(messages, now);
}

Expected<std::string> written(const std::string& source) { return written(source, {{"user", "Who are you?"}}); }

/// What Jinja does and this does not: refused, each in words, never done in another way.
const std::set<std::string> beyond{
    "{{ messages }}",
    "{% block a %}{% endblock %}",
    "{{ messages[0].content.format_map }}",
    "{{ 7 // 2, 7 }}",
    "{{ 1, 2, 3 }}",
    "{{ 1e3 }}",
    "{{ 'abc' is upper }}",
    "{{ 'é' | upper }}",
    "{{ '%s' % 1 }}",
    "{{ 'a' * 3 }}",
    "{{ 3 * [1] }}",
    "{{ {1: 2} }}",
    "{{ 7.5 // 2 }}",
    "{{ 'a' | safe ~ 'b' }}",
    "{{ [1] < [2] }}",
    "{{ 2.5 is odd }}",
    "{{ 'a' % x }}",
    "{% for i in range(3) %}{% set x %}a{% if i == 1 %}{% break %}{% endif %}{% endset %}{{ x }}{% endfor %}",
    "{{ 'x' | int(default=none) }}",
    "{{ joiner is defined }}",
    "{{ {'copy': 5}.copy }}",
    "{{ range(-9223372036854775807 - 1) | join }}",
    "{{ 'a\\r\\nb' | indent(2) }}",
};

TEST_CASE("templates are written out as Jinja writes them, or refused") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const auto data =
      nlohmann::json::parse(test::read_bytes(fs::path(NATSCOPE_TESTS_DIR) / "data/chat_templates/cases.json"));
  std::size_t texts = 0;
  for (const auto& one : data.at("cases")) {
    const auto source = one.at("template").get<std::string>();
    CAPTURE(source);
    bool is_refused = false;
    for (std::size_t chat = 0; chat < data.at("chats").size(); ++chat) {
      CAPTURE(chat);
      const auto ours = written(source, messages_of(data.at("chats")[chat]));
      const auto& expected = one.at("written")[chat];
      if (!ours && ours.error().code == ErrorCode::unsupported_tokenizer) {
        is_refused = true;
        CHECK_MESSAGE(!expected.is_null() <= beyond.contains(source), ours.error().message);
      } else if (expected.is_null()) {
        CHECK_MESSAGE(!ours, ours.value_or(""));
      } else {
        REQUIRE_MESSAGE(ours, ours.error().message);
        CHECK(*ours == expected.get<std::string>());
        ++texts;
      }
    }
    CHECK(is_refused >= beyond.contains(source));
  }
  CHECK(texts > 800);
}

TEST_CASE("published templates are written out as Jinja writes them, or refused") {
  const char* const folder = std::getenv("NATSCOPE_PUBLISHED_TEMPLATES");
  if (folder == nullptr) return;
  int same = 0;
  int refused = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    CAPTURE(entry.path().filename().string());
    const std::string source = test::read_bytes(entry.path());
    for (const auto& one :
         nlohmann::json::parse(test::read_bytes(fs::path(entry.path()).replace_extension(".cases")))) {
      const auto ours = written(source, messages_of(one.at("messages")));
      if (!ours && ours.error().code == ErrorCode::unsupported_tokenizer) {
        ++refused;
        MESSAGE(ours.error().message);
      } else if (one.at("written").is_null()) {
        CHECK_MESSAGE(!ours, ours.value_or(""));
      } else {
        CHECK_MESSAGE(ours, ours.error().message);
        CHECK(ours.value_or("nothing") == one.at("written").get<std::string>());
        ++same;
      }
    }
  }
  MESSAGE(same << " texts are the same, " << refused << " were refused");
}

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

TEST_CASE("a template that does not come to an end, or takes all memory, is stopped") {
  const std::string numbers = "{% for a in range(100000) %}";
  for (const std::string& source : std::vector<std::string>{
           numbers + numbers + "{% endfor %}{% endfor %}",
           "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
           "{% macro f() %}" + repeated("{% if true %}", 50) + "{{ f() }}" + repeated("{% endif %}", 50) +
               "{% endmacro %}{{ f() }}",
           "{% set ns = namespace(x='ab') %}" + numbers + "{% set ns.x = ns.x | replace('a', ns.x) %}{% endfor %}",
           "{{ range(100000) | join('" + repeated("x", 10'000) + "') }}",
           "{% set ns = namespace(x='ab') %}" + numbers + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
           "{% set ns = namespace(x=[1]) %}" + numbers + "{% set ns.x = ns.x + ns.x %}{% endfor %}",
           numbers + repeated("x", 100'000) + "{% endfor %}",
           numbers + "{% for b in range(100000) %}{% break %}{% endfor %}{% endfor %}",
           "{% set x = '" + repeated("x", 500'000) + "' %}" + numbers +
               "{% if x | length == x.find('y') %}{% endif %}{% endfor %}",
           "{% set x = '" + repeated("x", 500'000) + "' %}" + numbers + "{% if x == x ~ 'y' %}{% endif %}{% endfor %}",
           "{% set n = namespace(b='ab') %}{% for i in range(16) %}{% set n.b = n.b ~ n.b %}{% endfor %}"
           "{{ range(20000) | map('replace', '1', n.b) | list | length }}",
           "{% set n = namespace(b='ab') %}{% for i in range(10) %}{% set n.b = n.b ~ n.b %}{% endfor %}"
           "{{ range(20000) | map('string') | map('replace', '0', n.b) | map('replace', 'a', n.b) | list | length }}",
           "{{ '" + repeated("a", 80'000) + "' | map('replace', 'a', '" + repeated("b", 80'000) +
               "') | list | length }}",
           "{% set n = namespace(a=[[1]]) %}{% for i in range(16) %}{% set n.a = n.a + n.a %}{% endfor %}"
           "{{ n.a | map(attribute='" +
               repeated("0.", 20'000) + "0') | list | length }}",
           "{{ range(30000) | select('in', range(30000, 60000)) | list | length }}",
           "{{ 1" + repeated("+1", 100'000) + " }}",
           "{{ " + repeated("(", 100'000) + "1" + repeated(")", 100'000) + " }}",
           "{{ " + repeated("not ", 100'000) + "1 }}",
           "{{ " + repeated("-", 100'000) + "1 }}",
           "{{ x" + repeated(".y", 100'000) + " }}",
           "{{ x" + repeated("|trim", 100'000) + " }}",
           "{{ " + repeated("[", 100'000) + " }}",
           repeated("{% if true %}", 40'000),
           repeated("{% for x in y %}", 40'000),
           std::string(2U << 20U, 'x'),
           "\xff",
       }) {
    CAPTURE(source.substr(0, 60));
    const auto ours = written(source);
    REQUIRE(!ours);
    CHECK(ours.error().code == ErrorCode::bad_tokenizer);
    CHECK(ours.error().hint != "");
  }
}

TEST_CASE("no value holds itself, or is nested too deeply to be taken apart") {
  const std::string numbers = "{% for a in range(100000) %}";
  for (const std::string& source : std::vector<std::string>{
           "{% set ns = namespace() %}{% set ns.x = ns %}",
           "{% set ns = namespace() %}{% set ns.x = [ns] %}",
           "{% set ns = namespace(x=1) %}" + numbers + "{% set ns.x = [ns.x] %}{% endfor %}",
           "{% set ns = namespace(x=1) %}" + numbers + "{% set ns.x = {'a': ns.x} %}{% endfor %}",
           "{% set ns = namespace(x=1) %}" + numbers + "{% set ns.x = {'a': ns.x}.get %}{% endfor %}",
           "{% set ns = namespace(x=1) %}" + numbers + "{% set ns.x = namespace(y=ns) %}{% endfor %}",
           "{% set ns = namespace(x=1) %}" + numbers + "{% set ns.x = dict(a=ns.x) %}{% endfor %}",
           "{% macro m() %}{% endmacro %}{% set ns = namespace(x=m) %}",
           "{% for a in [1] %}{{ [loop] | length }}{% endfor %}",
           "{% set ns = namespace(x=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | "
           "tojson }}",
       }) {
    CAPTURE(source);
    CHECK(!written(source));
  }
}

TEST_CASE("an error says in which line of the template it is") {
  const auto failing = written("a\n{% if true %}\n{{ messages[0].content.nothing() }}\n{% endif %}");
  REQUIRE(!failing);
  CHECK(failing.error().message.find("line 3: ") != std::string::npos);
  const auto raised = written("{{ raise_exception('Roles must alternate\x01') }}");
  REQUIRE(!raised);
  CHECK(raised.error().code == ErrorCode::bad_text);
  CHECK(raised.error().message.find("Roles must alternate\\x01") != std::string::npos);
}

TEST_CASE("templates with a part missing, doubled or changed do no harm") {
  const auto data =
      nlohmann::json::parse(test::read_bytes(fs::path(NATSCOPE_TESTS_DIR) / "data/chat_templates/cases.json"));
  std::uint64_t state = 1;
  const auto chance = [&state](std::size_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>((state >> 33U) % std::max<std::size_t>(1, below));
  };
  const auto& cases = data.at("cases");
  for (int i = 0; i < 4000; ++i) {
    auto source = cases[chance(cases.size())].at("template").get<std::string>();
    const std::size_t at = chance(source.size());
    const std::string part = source.substr(at, 1 + chance(6));
    switch (chance(3)) {
      case 0:
        source.erase(at, part.size());
        break;
      case 1:
        source.insert(chance(source.size()), part);
        break;
      default:
        source.insert(at, cases[chance(cases.size())].at("template").get<std::string>());
    }
    const auto ours = written(source);
    CHECK((ours || !ours.error().message.empty()));
  }
}

TEST_CASE("the template of a folder") {
  const test::TemporaryFolder folder;
  CHECK(!ChatTemplate::read(folder.path()).value());
  CHECK(!has_chat_template(folder.path()));
  const auto first_line = [&] { return ChatTemplate::read(folder.path()).value()->write({}, now).value(); };

  test::write_bytes(folder / "tokenizer_config.json",
                    R"({"bos_token": {"content": "<b>"}, "chat_template": "{{ bos_token }}one"})");
  CHECK(has_chat_template(folder.path()));
  CHECK(first_line() == "<b>one");
  test::write_bytes(
      folder / "tokenizer_config.json",
      R"({"bos_token": null, "eos_token": "</e>", "chat_template": [{"name": "tool_use", "template": "no"},
                        {"name": "default", "template": "{{ bos_token }}two{{ eos_token }}"}]})");
  CHECK(first_line() == "two</e>");
  test::write_bytes(folder / "chat_template.jinja", "three\n");
  CHECK(first_line() == "three");

  test::write_bytes(folder / "chat_template.jinja", "{% if %}");
  CHECK(has_chat_template(folder.path()));
  CHECK(ChatTemplate::read(folder.path()).error().code == ErrorCode::bad_tokenizer);
  fs::remove(folder / "chat_template.jinja");
  for (const char* const bad :
       {"3", "[]", "[3]", R"([{"name": "default", "template": 3}])", R"([{"template": "x"}])", "{}"}) {
    CAPTURE(bad);
    test::write_bytes(folder / "tokenizer_config.json", std::string(R"({"chat_template": )") + bad + "}");
    CHECK(ChatTemplate::read(folder.path()).error().code == ErrorCode::bad_tokenizer);
  }
}

}  // namespace
}  // namespace natscope
