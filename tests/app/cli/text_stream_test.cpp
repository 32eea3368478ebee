// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/text_stream.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>

#include "core/io/model_folder.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::TemporaryFolder;

/// A pipe into which somebody writes the same text until nobody reads it: `yes`.
class EndlessPipe {
 public:
  EndlessPipe(const std::filesystem::path& path, std::string text) : path_(path.string()) {
    ::signal(SIGPIPE, SIG_IGN);
    REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
    writer_ = std::thread([this, text = std::move(text)] {
      const int pipe = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
      for (ssize_t done = 0; (done = ::write(pipe, text.data(), text.size())) > 0;)
        written_ += static_cast<std::size_t>(done);
      ::close(pipe);
    });
  }
  ~EndlessPipe() {
    if (writer_.joinable()) writer_.join();
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Bytes that were written until the reader went away.
  std::size_t bytes_read() {
    writer_.join();
    return written_;
  }

 private:
  std::string path_;
  std::size_t written_ = 0;
  std::thread writer_;
};

std::string repeated(const std::string& text, std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += text;
  return all;
}

TEST_CASE("of a text without an end no more is read than the tokens that are asked for can take") {
  const TemporaryFolder folder;
  const auto demo = ModelFolder::open(std::string(NATSCOPE_RESOURCE_DIR) + "/demo");
  REQUIRE(demo);
  for (const std::string& text : {std::string("y\n"), std::string("Once upon a time — there was a café. "),
                                  std::string(5000, 'a'), std::string("🙂")}) {
    CAPTURE(text.substr(0, 40));
    for (const std::int64_t most : {1, 2, 700}) {
      CAPTURE(most);
      EndlessPipe pipe(folder / ("pipe" + std::to_string(most)), text);
      const auto tokens = read_token_stream(*demo, std::array{pipe.path()}, most);
      REQUIRE_MESSAGE(tokens, tokens.error().message);
      CHECK(tokens->size() == static_cast<std::size_t>(most));
      CHECK(pipe.bytes_read() < (std::size_t{1} << 20U));
      // As of a file that has an end.
      test::write_bytes(folder / "text", repeated(text, 400'000));
      CHECK(*read_token_stream(*demo, std::array{(folder / "text").string()}, most) == *tokens);
      std::filesystem::remove(pipe.path());
    }
  }
}

TEST_CASE("a pipe with an end is read to it, and what is no text is said") {
  const TemporaryFolder folder;
  const auto demo = ModelFolder::open(std::string(NATSCOPE_RESOURCE_DIR) + "/demo");
  REQUIRE(demo);
  const auto piped = [&](const std::string& text, std::int64_t most) {
    const std::string path = (folder / "pipe").string();
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    ::signal(SIGPIPE, SIG_IGN);
    std::thread writer([&] {
      const int pipe = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      CHECK(::write(pipe, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
      ::close(pipe);
    });
    auto tokens = read_token_stream(*demo, std::array{path}, most);
    writer.join();
    std::filesystem::remove(path);
    return tokens;
  };
  test::write_bytes(folder / "text", "Once upon a time");
  const auto whole = read_token_stream(*demo, std::array{(folder / "text").string()}, 0);
  REQUIRE(whole);
  CHECK(*piped("Once upon a time", 0) == *whole);
  CHECK(*piped("Once upon a time", 5000) == *whole);
  CHECK(piped("caf\xE9 and more", 3).error().code == ErrorCode::bad_text);
  CHECK(piped("", 3).error().code == ErrorCode::bad_text);
}

}  // namespace
}  // namespace natscope
