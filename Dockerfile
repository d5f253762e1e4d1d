# Builds the static binary, and ships it alone.
FROM golang:1.26 AS build
ARG VERSION=0.1.0
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build VERSION=$VERSION BIN=/coracle && mkdir -m 0700 /data

FROM scratch
COPY --from=build /coracle /coracle
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
EXPOSE 6443
ENTRYPOINT ["/coracle", "up", "--data-dir", "/data", "--bind-address", "0.0.0.0"]
