# The image of `dimmer`, as deploy/ and the chart start the controller from it (docs/operations.md, The image;
# docs/adr/0050-one-source-for-every-install.md). What runs in it is what `npm pack` makes; nothing is run on the platform that it is
# for, so that one builder makes it for all:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg REVISION="$(git rev-parse HEAD)" --tag dimmer:0.1.0 .
#
# Name both bases by their digests where you build for others.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim
# Node with the libraries and the certificates that it needs: no shell, no package manager, not root.
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM --platform=${BUILDPLATFORM} ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
RUN npm ci --no-audit --no-fund && npm pack --pack-destination /tmp
RUN mkdir /package && tar -xzf /tmp/dimmer-*.tgz -C /package --strip-components=1

FROM ${RUNTIME_IMAGE}
# package.json's; a test holds them to be the same.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dimmer" \
      org.opencontainers.image.description="Turns a running virtual machine's memory up and down, declaratively, on plain libvirt/QEMU hosts." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The program with the licences of what is in it; its manifest says that it is of modules.
COPY --from=build /package/dist /app/dist
COPY --from=build /package/package.json /package/LICENSE /app/
# Of the base; `helm test` starts it by its name.
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin \
    NODE_ENV=production
WORKDIR /
USER 65532:65532
# The controller's; `dimmer agent` belongs on a host (docs/operations.md).
EXPOSE 8080 8081
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/cmd/main.js"]
CMD ["--help"]
