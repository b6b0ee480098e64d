#include "mem/option.hh"

#include <cmath>

#include "check.hh"

using namespace bricks;

namespace {

constexpr OptionDescriptor kAllowed[] = {
    {"pin", OptionType::boolean, "true", 0, 0, nullptr, ""},
    {"tuple", OptionType::integer, "4", 2, 4, nullptr, ""},
    {"share", OptionType::number, "0.5", 0, 1, nullptr, ""},
    {"placement", OptionType::text, "consistent", 0, 0, "consistent|modulo", ""},
    {"note", OptionType::text, "", 0, 0, nullptr, ""},
    {"rules", OptionType::text_list, "", 0, 0, nullptr, ""},
    {"weights", OptionType::number_list, "", 0, 100, nullptr, ""},
    {"limit", OptionType::integer, "", 0, 10, nullptr, ""},
};

Status check_one(const char* name, OptionValue value, Options* options) {
  *options = {{name, std::move(value)}};
  return check_options("LoadBalancer", kAllowed, options);
}

bool refused(const char* name, OptionValue value) {
  Options options;
  const Status status = check_one(name, std::move(value), &options);
  return status.code == Code::invalid_argument && status.message.find(name) != std::string::npos &&
         status.message.find("LoadBalancer") != std::string::npos;
}

}  // namespace

TEST(options_get_their_defaults) {
  Options options;
  CHECK(check_options("LoadBalancer", kAllowed, &options).ok());
  CHECK(option_flag(options, "pin"));
  CHECK_EQ(option_integer(options, "tuple"), 4);
  CHECK_EQ(option_number(options, "share"), 0.5);
  CHECK_EQ(option_text(options, "placement"), "consistent");
  CHECK_EQ(option_text(options, "note"), "");
  CHECK(std::get<std::vector<std::string>>(options["rules"]).empty());
  CHECK(std::get<std::vector<double>>(options["weights"]).empty());
  CHECK(!options.contains("limit"));
}

TEST(options_take_what_means_the_same) {
  Options options;
  for (OptionValue off : {OptionValue(false), OptionValue(std::string("0")), OptionValue(0.0),
                          OptionValue(int64_t{0}), OptionValue(std::string("no"))}) {
    CHECK(check_one("pin", off, &options).ok());
    CHECK(!option_flag(options, "pin"));
  }
  for (OptionValue two :
       {OptionValue(int64_t{2}), OptionValue(2.0), OptionValue(std::string("2"))}) {
    CHECK(check_one("tuple", two, &options).ok());
    CHECK_EQ(option_integer(options, "tuple"), 2);
  }
  CHECK(check_one("note", 10.0, &options).ok());
  CHECK_EQ(option_text(options, "note"), "10");
  CHECK(check_one("note", int64_t{-3}, &options).ok());
  CHECK_EQ(option_text(options, "note"), "-3");
  CHECK(check_one("rules", std::string("a,b,"), &options).ok());
  CHECK_EQ(std::get<std::vector<std::string>>(options["rules"]).size(), 3u);
  CHECK(check_one("weights", std::string("1,2.5"), &options).ok());
  CHECK_EQ(std::get<std::vector<double>>(options["weights"])[1], 2.5);
  CHECK(check_one("weights", std::vector<std::string>{"1", "2"}, &options).ok());
  CHECK_EQ(std::get<std::vector<double>>(options["weights"]).size(), 2u);
}

TEST(options_refuse_by_name_and_range) {
  CHECK(refused("colour", true));
  CHECK(refused("pin", std::string("maybe")));
  CHECK(refused("pin", int64_t{2}));
  CHECK(refused("tuple", int64_t{1}));
  CHECK(refused("tuple", int64_t{5}));
  CHECK(refused("tuple", 2.5));
  CHECK(refused("tuple", std::string("2x")));
  CHECK(refused("tuple", std::string("")));
  CHECK(refused("tuple", std::vector<double>{2}));
  CHECK(refused("share", std::nan("")));
  CHECK(refused("share", 1.0001));
  CHECK(refused("placement", std::string("random")));
  CHECK(refused("placement", std::string("consistent|modulo")));
  CHECK(refused("placement", std::string("")));
  CHECK(refused("weights", std::vector<double>{1, 101}));
  CHECK(refused("weights", std::string("1,x")));
  Options options;
  const Status status = check_one("tuple", int64_t{7}, &options);
  CHECK_EQ(status.message, "LoadBalancer: tuple is 7, which must be a whole number from 2 to 4");
}

TEST(options_refused_change_nothing) {
  Options options = {{"tuple", int64_t{9}}, {"note", int64_t{1}}};
  const Options before = options;
  CHECK(!check_options("LoadBalancer", kAllowed, &options).ok());
  CHECK(options == before);
}
