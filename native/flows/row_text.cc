#include "flows/row_text.hh"

#include <arpa/inet.h>

namespace bricks::flows {

std::string tsv_head(Columns columns) {
  std::string text;
  for (const char* column : columns) text += (text.empty() ? "" : "\t") + std::string(column);
  return text + "\n";
}

std::string address_text(const FlowKey& key, int end) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(key.ip_version == 4 ? AF_INET : AF_INET6, key.address[end], text, sizeof text);
  return text;
}

Row::Row(Columns columns, bool json, std::string* text)
    : columns_(columns), json_(json), text_(text) {
  if (json_) *text_ += '{';
}

void Row::add(const std::string& value, bool quoted) {
  if (column_ > 0) *text_ += json_ ? ',' : '\t';
  if (json_) *text_ += '"' + std::string(columns_[column_]) + "\":";
  *text_ += quoted ? '"' + value + '"' : value;
  ++column_;
}

}  // namespace bricks::flows
