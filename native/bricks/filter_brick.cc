// Filter: packets that match a libpcap expression pass, others are dropped as `filtered`.
#include "bricks/pass_through.hh"
#include "filter/expression.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kOptions[] = {
    {"expression", OptionType::text, "", 0, 0, nullptr,
     "libpcap expression (pcap-filter(7)); empty lets everything pass"},
};

class Filter final : public Brick {
 public:
  explicit Filter(std::unique_ptr<Expression> expression) : expression_(std::move(expression)) {}

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    Outlets::List& list = out.lists()[0];
    const auto count = static_cast<uint32_t>(in.size());
    list.end += expression_->match(batch, in.data(), count, list.own);
    out.cell().drop(Drop::filtered, count - list.count());
  }

 private:
  std::unique_ptr<Expression> expression_;
};


Status make(const Options& options, const BrickPlace&, std::unique_ptr<Brick>* brick) {
  const std::string& text = option_text(options, "expression");
  if (text.empty()) {
    *brick = std::make_unique<PassThrough>();
    return {};
  }
  std::unique_ptr<Expression> expression;
  if (Status status = compile_expression(text, &expression); !status.ok()) {
    return {status.code, "Filter: " + status.message};
  }
  *brick = std::make_unique<Filter>(std::move(expression));
  return {};
}

}  // namespace

extern const BrickType kFilter = {
    .name = "Filter",
    .summary = "passes the packets that match a libpcap expression",
    .details = "The expression is compiled by libpcap for the link type of each packet. What does "
               "not match is dropped and counted as `filtered`.",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = false,
    .options = kOptions,
    .make = make,
};

}  // namespace bricks
